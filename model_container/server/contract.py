"""The wire contract, version 1: what a request for music may say, and what is said about the music.

Knows the wire format (docs/wire.md). Must not know HTTP or the engine's inside.
"""

import secrets
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, model_validator

from model_container.engine.decoder import FloatArray
from model_container.engine.sampling import Sampling
from model_container.engine.song import Request

VERSION = "1"
SEEDS = 2**32
ID = r"^[A-Za-z0-9_.:-]{1,128}$"


class Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Audio(Message):
    """A WAV file at an address: what to go on from, or a melody to follow."""

    url: HttpUrl
    role: Literal["melody", "continue"]


class Invocation(Message):
    """A piece of work that is asked for, whatever makes it."""

    seed: Annotated[int, Field(ge=0, lt=SEEDS)] = Field(default_factory=lambda: secrets.randbelow(SEEDS))
    id: Annotated[str, Field(pattern=ID)] | None = None
    output_url: HttpUrl | None = None
    progress_url: HttpUrl | None = None
    deadline_s: Annotated[float, Field(gt=0, le=86_400)] | None = None
    stream: bool = False
    respond_async: bool = False


class SongInvocation(Invocation):
    """A song by MusicGen."""

    prompt: Annotated[str, Field(min_length=1, max_length=600)]
    duration: Annotated[float, Field(ge=0.1, le=300)] = 30.0  # seconds, of the recording gone on from too
    temperature: Annotated[float, Field(ge=0, le=10)] = 1.0
    top_k: Annotated[int, Field(ge=0, le=10_000)] = 250
    top_p: Annotated[float, Field(ge=0.01, le=1)] = 1.0
    guidance: Annotated[float, Field(ge=1, le=20)] = 3.0
    audio: Audio | None = None

    def request(self, frame_rate: int, recording: FloatArray | None, melody: FloatArray | None) -> Request:
        """Raises ValueError for what no model can make."""
        sampling = Sampling(self.temperature, self.top_k, self.top_p, self.seed)
        frames = round(self.duration * frame_rate)
        return Request(self.prompt, frames, sampling, self.guidance, recording, melody)


class Track(Message):
    """A WAV file at an address, and the seconds of it that are meant."""

    url: HttpUrl
    start_time: Annotated[float, Field(ge=0)] = 0.0
    end_time: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end_time is not None and self.end_time <= self.start_time:
            raise ValueError("end_time is not after start_time")
        return self


class TrackInvocation(Invocation):
    """A clip from two tracks. Nothing in it is drawn, and nothing is told to it: a prompt is not heard."""

    tracks: Annotated[list[Track], Field(min_length=2, max_length=2)]
    duration: Annotated[float, Field(ge=1, le=26)] = 16.0  # seconds of either track and of the clip
    prompt: Annotated[str, Field(max_length=600)] = ""


class Cancel(Message):
    """Work that is not wanted any more, for callers that can only POST."""

    cancel: Annotated[str, Field(pattern=ID)]


class Problem(Message):
    code: str
    detail: str
    transient: bool


class State(Message):
    id: str
    status: Literal["queued", "running", "finished", "failed", "canceled"]
    progress: float = 0.0  # 0 to 1
    message: str
    queue_position: int | None = None  # 1 is next
    seconds: float = 0.0  # of audio made
    work_s: float = 0.0  # of computing since its first step; of steps with others, its share
    error: Problem | None = None
    report: dict[str, float] | None = None  # how the result compares with what is easily had
    revision: str | None = None  # of the weights
