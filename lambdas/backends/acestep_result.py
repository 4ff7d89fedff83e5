"""What ACE-Step's server says of its tasks, as values.

Knows the answers of `/release_task`, `/query_result` and `/v1/stats` (docs/en/API.md, sections 4, 5 and 9, of
ace-step/ACE-Step-1.5). Its log line of the moment and its stack traces, which are both among them, are passed
on to nobody: the one may be about another caller's song, the other names the server's files.
"""

import re
from typing import Annotated, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from lambdas.backends.words import plain
from lambdas.core.errors import TransientError

SUCCEEDED, FAILED = 1, 2
TEXT = 100  # characters of a name that are passed on

# v0.1.8 says "Total generation time (1 song): 7.50s" (and processing); before, "  - Total: 7.50s" per model.
WORKED = re.compile(
    r"(?:Total (?:generation|processing) time[^\n:]*|^ +- Total): (\d{1,5}(?:\.\d+)?)s", re.MULTILINE
)

TaskId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,100}$")]


class _Told(BaseModel):
    """A newer server may say more; what it does not say as agreed is refused."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Receipt(_Told):
    task_id: TaskId
    queue_position: int = 0


class Song(_Told):
    file: str = ""
    progress: Annotated[float, Field(ge=0, le=1)] = 0.0
    stage: str = ""
    seed_value: str = ""
    generation_info: str = ""
    dit_model: str | None = None
    lm_model: str | None = None
    error: str | None = None
    create_time: float | None = None  # seconds since 1970, by the server's clock

    @property
    def worked_s(self) -> float | None:
        """Seconds that the models and the encoding took, where the server says so."""
        found = WORKED.findall(self.generation_info)
        return sum(map(float, found)) if found else None

    @property
    def out_of_memory(self) -> bool:
        return "out of memory" in (self.error or "").lower()


class State(_Told):
    """A task. Of one that the server does not know it says 0, as of one in the queue, but has no song."""

    task_id: str
    status: Literal[0, 1, 2]
    song: Song | None = None


class _Jobs(_Told):
    queued: int
    running: int


class _Stats(_Told):
    jobs: _Jobs


class _Entry(_Told):
    task_id: str
    status: Literal[0, 1, 2]
    result: str  # JSON within JSON


SONGS = TypeAdapter(list[Song])
ENTRIES = TypeAdapter(list[_Entry])


def receipt(data: object) -> Receipt:
    """Raises TransientError."""
    try:
        return Receipt.model_validate(data)
    except ValidationError as error:
        raise _senseless() from error


def state(data: object, task: str) -> State:
    """Raises TransientError for anything but the state of this task."""
    try:
        (entry,) = (entry for entry in ENTRIES.validate_python(data) if entry.task_id == task)
        songs = SONGS.validate_json(entry.result)
    except ValueError as error:
        raise _senseless() from error
    return State(task_id=task, status=entry.status, song=songs[0] if songs else None)


def idle(data: object) -> bool:
    """Whether the server says that no task waits or is worked on. Raises TransientError."""
    try:
        jobs = _Stats.model_validate(data).jobs
    except ValidationError as error:
        raise _senseless() from error
    return jobs.queued + jobs.running == 0


def audio_path(file: str, url: str) -> str | None:
    """The path in `/v1/audio?path=…` of the server at `url`; None for any other address."""
    parts, root = urlsplit(file), urlsplit(url)
    if (parts.scheme or parts.netloc) and (parts.scheme, parts.netloc) != (root.scheme, root.netloc):
        return None
    if parts.path not in ("/v1/audio", root.path.rstrip("/") + "/v1/audio") or parts.fragment:
        return None
    asked = parse_qs(parts.query)
    (path,) = asked.get("path", [""])[:1]
    whole = set(asked) == {"path"} and len(asked["path"]) == 1
    clean = path.isprintable() and "\\" not in path and ".." not in path.split("/")
    return path if whole and clean and path.lower().endswith(".wav") else None


def named(text: str | None) -> str | None:
    """A name that a host gave, fit to be shown."""
    return plain(text or "", TEXT) or None


def _senseless() -> TransientError:
    return TransientError("bad_answer", "The ACE-Step server answers without sense.")
