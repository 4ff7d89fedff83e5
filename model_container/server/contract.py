"""The wire contract, version 1: what a request for a song may say, and what is said about the song.

Knows the wire format (docs/wire.md). Must not know HTTP or the engine's inside.
"""

import secrets
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, HttpUrl

from model_container.engine.decoder import FloatArray
from model_container.engine.sampling import Sampling
from model_container.engine.song import Request

VERSION = "1"
SEEDS = 2**32


class Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Audio(Message):
    """A WAV file at an address: what to go on from, or a melody to follow."""

    url: HttpUrl
    role: Literal["melody", "continue"]


class Invocation(Message):
    """A song that is asked for."""

    prompt: Annotated[str, Field(min_length=1, max_length=600)]
    duration: Annotated[float, Field(ge=0.1, le=300)] = 30.0  # seconds, of the recording gone on from too
    seed: Annotated[int, Field(ge=0, lt=SEEDS)] = Field(default_factory=lambda: secrets.randbelow(SEEDS))
    temperature: Annotated[float, Field(ge=0, le=10)] = 1.0
    top_k: Annotated[int, Field(ge=0, le=10_000)] = 250
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    guidance: Annotated[float, Field(ge=1, le=20)] = 3.0
    audio: Audio | None = None
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,128}$")] | None = None
    output_url: HttpUrl | None = None
    progress_url: HttpUrl | None = None
    deadline_s: Annotated[float, Field(gt=0, le=86_400)] | None = None
    stream: bool = False

    def request(self, frame_rate: int, recording: FloatArray | None, melody: FloatArray | None) -> Request:
        """Raises ValueError for what no model can make."""
        sampling = Sampling(self.temperature, self.top_k, self.top_p, self.seed)
        frames = round(self.duration * frame_rate)
        return Request(self.prompt, frames, sampling, self.guidance, recording, melody)


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
    work_s: float = 0.0  # since it was asked for, or until it ended
    error: Problem | None = None
