"""What a job is made of: the piece that was asked for, and what became of it. Values without behaviour."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from lambdas.core.recordings import Format, Measurement


class Frozen(BaseModel):
    # What does not fit may be a caller's words, and errors are logged.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null", hide_input_in_errors=True)

    @classmethod
    def read(cls, stored: str) -> Self:
        """What any version of one major number stored, less what only newer ones know. Raises ValueError."""
        return cls.model_validate_json(stored, extra="ignore")

    def but(self, **changes: object) -> Self:
        return self.model_copy(update=changes)


class Status(StrEnum):
    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def terminal(self) -> bool:
        return self not in (Status.QUEUED, Status.PROCESSING)


Filter = Literal["queued", "processing", "completed", "failed", "canceled"]

Role = Literal["track", "melody", "continue", "reference"]
"""What a recording is to a piece: one of two to be blended, a tune to follow, a beginning, a model."""


class Source(Frozen):
    """A part of a recording that a piece is made from: an upload of its owner's, or a job's audio."""

    upload_id: str | None = None
    job_id: str | None = None
    start_time: float = 0.0  # seconds
    end_time: float | None = None  # seconds; None is the recording's end
    key: str  # where the recording lies; shown to nobody


class Reference(Source):
    role: Role


class Piece(Frozen):
    """What music to make: everything a model is told, and nothing of who asked or when."""

    model: str
    model_revision: str
    prompt: str
    effective_prompt: str
    duration: float  # seconds
    seed: int
    format: Format = Format.WAV
    genre: str | None = None
    lyrics: str | None = None
    negative_prompt: str | None = None
    bpm: float | None = None
    key: str | None = None
    instrumental: bool | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    guidance: float | None = None
    tracks: tuple[Source, ...] | None = None
    audio: Reference | None = None

    @property
    def sources(self) -> tuple[Reference, ...]:
        """Every recording it is made from, in the order that its model takes them."""
        tracks = tuple(Reference(role="track", **track.model_dump()) for track in self.tracks or ())
        return tracks if self.audio is None else (*tracks, self.audio)


class Take(Frozen):
    """A source made ready for a model: decoded, cut, resampled, and stored as WAV."""

    role: Role
    key: str
    seconds: float


class Ticket(Frozen):
    """A backend's receipt for work in progress; `id` means something to that backend only."""

    id: str
    check_after: float = 0.0  # seconds until asking makes sense


class Lease(Frozen):
    """The right to work on a job, held by one handling of one message."""

    holder: str
    until: datetime


class Trial(Frozen):
    """One attempt that did not give audio, told to the job's owner without secrets."""

    attempt: int
    backend: str
    code: str
    detail: str


class Fault(Frozen):
    """Why a job failed, in words its owner can act on."""

    code: str
    detail: str


class File(Frozen):
    bytes: int
    sha256: str
    signed: bool  # carries a C2PA manifest


class Audio(Frozen):
    """What a finished job has: sizes and digests per format, and the WAV's measurements."""

    files: Mapping[Format, File]
    measurement: Measurement


class Webhook(Frozen):
    url: str
    origin: str  # where the API was called, for the links in the announcement
    announced: bool = False


class Timings(Frozen):
    """Seconds spent waiting, in the model, and mastering."""

    queued_s: float | None = None
    model_s: float | None = None
    mastering_s: float | None = None


class Cost(Frozen):
    estimate_usd: float = 0.0
    actual_usd: float | None = None
