"""The seams: what the domain asks of the world. Each has at most four methods, on values.

Every adapter of a port passes that port's contract tests.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Protocol

from pydantic import BaseModel, ConfigDict, Field

from lambdas.core.jobs import Filter, Job
from lambdas.core.pieces import Piece, Ticket
from lambdas.core.recordings import Label, Recording

Clock = Callable[[], datetime]  # aware, UTC


class Message(BaseModel):
    """What a queue carries: a job's id, and for an announcement which try it is and when it is due."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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
        """An owner's jobs, newest first."""

    def overdue(self, now: datetime, limit: int) -> Sequence[str]:
        """Ids of unsettled jobs that should have been heard of before `now`."""

    def queued_before(self, job: Job) -> int:
        """How many queued jobs wait in front of this one; capped, so that asking stays cheap."""


class Ledger(Protocol):
    """Small facts with an end: idempotency keys, the cache of seeded requests."""

    def claim(self, key: str, value: str, until: datetime) -> str | None:
        """Write the value unless a live one is there; returns that one, or None when ours was written."""

    def get(self, key: str) -> str | None: ...

    def put(self, key: str, value: str, until: datetime) -> None: ...


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
class Work:
    """One attempt at a piece. Carries a presigned address, so a backend needs no right of its own."""

    id: str  # unique per attempt: the backend's idempotency key
    attempt: int
    piece: Piece
    output_url: str  # PUT the raw audio here


@dataclass(frozen=True, slots=True)
class Running:
    progress: float  # 0–1
    message: str = "Making music"
    check_after: float = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class Finished:
    """The raw audio lies at the work's output address."""

    cost_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Failed:
    code: str
    detail: str
    transient: bool


class Backend(Protocol):
    """A host of a music model. Raises errors.PermanentError or errors.TransientError, nothing else."""

    def start(self, work: Work) -> Ticket:
        """Begin, and return at once. The same work twice is one piece of work where the host can tell."""

    def check(self, ticket: Ticket) -> Running | Finished | Failed: ...

    def cancel(self, ticket: Ticket) -> None:
        """Stop it where the host can; unknown or finished work is fine."""


class Mastering(Protocol):
    def master(self, raw: bytes, label: Label) -> Recording:
        """Raises errors.UnusableAudio."""


class Courier(Protocol):
    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The status answered; raises errors.TransientError when nothing answered,
        errors.PermanentError when the address must not be called."""
