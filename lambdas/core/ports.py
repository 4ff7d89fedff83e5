"""The seams: what the domain asks of the world. Each has at most four methods, on values.

Every adapter of a port passes that port's contract tests.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Protocol

from pydantic import Field

from lambdas.core.jobs import Filter, Job
from lambdas.core.pieces import Frozen, Ticket
from lambdas.core.recordings import Label, Recording
from lambdas.core.works import Failed as Failed
from lambdas.core.works import Finished as Finished
from lambdas.core.works import Input as Input
from lambdas.core.works import Running as Running
from lambdas.core.works import Work as Work

Clock = Callable[[], datetime]  # aware, UTC

Tell = Callable[[str, Mapping[str, str]], None]
"""Counts an event for the operator: its name, and what it concerns."""


def untold(name: str, concerns: Mapping[str, str]) -> None:
    """A Tell for when nobody counts."""


class Message(Frozen):
    """What a queue carries: a job's id, and for an announcement which try it is and when it is due."""

    job_id: Annotated[str, Field(min_length=1, max_length=100)]
    attempt: int = 0
    not_before: datetime | None = None

    def encode(self) -> str:
        return self.model_dump_json(exclude_defaults=True)


class JobStore(Protocol):
    """The job table by id. Writes are conditional; a lost race is errors.Conflict."""

    def insert(self, job: Job) -> bool:
        """Store a new job. False, and no effect, when its id is taken."""

    def get(self, job_id: str) -> Job | None: ...

    def replace(self, job: Job) -> Job:
        """Store a changed job over version `job.version`; returns it with the next version."""

    def remove(self, job: Job) -> None:
        """Delete the row at version `job.version`; absent is fine."""


@dataclass(frozen=True, slots=True)
class Page:
    jobs: tuple[Job, ...]
    after: tuple[str, ...] | None  # where the next page starts; None at the end


class JobIndex(Protocol):
    """The job table by other orders. Reads may lag behind writes."""

    def owned_by(
        self,
        owner: str,
        limit: int,
        after: tuple[str, ...] | None,
        status: Filter | None,
        favourite: bool | None,
    ) -> Page:
        """An owner's jobs, newest first, without those that cannot be read."""

    def overdue(self, now: datetime, limit: int) -> Sequence[str]:
        """Ids of unsettled jobs that should have been heard of before `now`."""

    def queued_before(self, job: Job) -> int:
        """How many queued jobs wait in front of this one; capped, so that asking stays cheap."""


class Ledger(Protocol):
    """Small facts with an end: idempotency keys, the cache of seeded requests, breakers, sums of money."""

    def claim(self, key: str, value: str, until: datetime) -> str | None:
        """Write the value unless a live one is there; returns that one, or None when ours was written."""

    def get(self, key: str) -> str | None: ...

    def put(self, key: str, value: str, until: datetime) -> None: ...

    def add(self, keys: Sequence[str], amount: float, once: str, until: datetime) -> bool:
        """Add to the sums under `keys`, all or none of them, and once only per `once` until the end.

        False, and no effect, when that was done before. `get` gives a sum as a decimal number. A sum's
        key belongs to a time (such as a day): it is not used again after its end.
        """


class Queue(Protocol):
    """At-least-once, unordered. Only ids travel."""

    def send(self, message: Message, delay: float = 0) -> None:
        """Deliver about `delay` seconds from now (whole seconds, at most 900)."""

    def send_all(self, messages: Sequence[Message]) -> None: ...


class DeadLetters(Protocol):
    def read(self) -> Sequence[str]:
        """The bodies of messages that could not be handled. They stay, for the operator."""


class ObjectStore(Protocol):
    def read(self, key: str) -> bytes | None: ...

    def write(self, key: str, data: bytes, content_type: str, filename: str) -> None: ...

    def copy(self, source: str, target: str) -> bool:
        """False when the source is gone."""

    def remove(self, keys: Sequence[str]) -> None:
        """Absent keys are fine."""


class Links(Protocol):
    """Presigned addresses. They die with their signer's session, so they are made at each use."""

    def download(self, key: str, seconds: int, filename: str | None = None) -> str: ...

    def upload(self, key: str, seconds: int) -> str: ...


@dataclass(frozen=True, slots=True)
class Form:
    """A presigned POST: who sends these fields and a file to the address has uploaded it."""

    url: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Stored:
    bytes: int
    content_type: str


class Inbox(Protocol):
    """Files from callers. The store itself enforces their limits."""

    def offer(self, key: str, content_type: str, most_bytes: int, seconds: int) -> Form:
        """A form for one file of 1 to `most_bytes` bytes of exactly this type, good for `seconds`."""

    def look(self, key: str) -> Stored | None: ...


@dataclass(frozen=True, slots=True)
class Cut:
    """Which part of a recording is wanted, and how."""

    start: float  # seconds
    end: float | None  # seconds; None is the recording's end
    longest: float  # seconds; of more than that, the first are taken, or the last
    rate: int  # Hz
    channels: int
    from_end: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    wav: bytes  # 16-bit PCM
    seconds: float


class Preparing(Protocol):
    def prepare(self, raw: bytes, cut: Cut) -> Prepared:
        """Decode a recording that nobody vouches for. Raises errors.UnusableAudio, in words for its owner."""


class Backend(Protocol):
    """A host of a music model. Raises errors.PermanentError, HostRefusal or TransientError, nothing else."""

    @property
    def longest(self) -> float:
        """Seconds of audio that one work may ask of it."""

    def start(self, work: Work) -> Ticket:
        """Begin, and return at once. The same work twice is one piece of work where the host can tell."""

    def check(self, work: Work, ticket: Ticket) -> Running | Finished | Failed:
        """`work` is what was started, with addresses that are good now."""

    def cancel(self, ticket: Ticket) -> float | None:
        """Stop it where the host can; unknown or finished work is fine. Dollars that it did cost, where the
        host says so at once."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """One segment as a host gave it, and where it belongs in the piece. Seconds."""

    raw: bytes
    start: float
    end: float


class Joining(Protocol):
    def seconds(self, raw: bytes) -> float:
        """How long a segment is. Raises errors.UnusableAudio."""

    def join(self, stretches: Sequence[Stretch]) -> bytes:
        """One recording of segments that overlap, faded into each other, exactly to the last one's end.
        Raises errors.UnusableAudio."""


class Mastering(Protocol):
    def master(self, raw: bytes, label: Label) -> Recording:
        """Raises errors.UnusableAudio."""


class Courier(Protocol):
    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The status answered; raises errors.TransientError when nothing answered,
        errors.PermanentError when the address must not be called."""
