"""What a request for a song may say, and what is said about a song.

Knows the wire format. Must not know HTTP or the engine's inside.
"""

import secrets
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, HttpUrl

from model_container.engine.decoder import FloatArray
from model_container.engine.sampling import Sampling
from model_container.engine.song import Request

SEEDS = 2**32


class Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Invocation(Message):
    """A song that is asked for. Input sounds are WAV files at addresses, the output goes to one, if given."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,128}$")] | None = Field(
        None, description="The caller's own; the same id twice is one song."
    )
    prompt: Annotated[str, Field(max_length=5000)]
    duration: Annotated[float, Field(ge=0.1, le=300)] = Field(
        30.0, description="Seconds, of the recording that is continued too."
    )
    seed: Annotated[int, Field(ge=0, lt=SEEDS)] = Field(
        default_factory=lambda: secrets.randbelow(SEEDS), description="Drawn when absent."
    )
    temperature: Annotated[float, Field(ge=0, le=10)] = 1.0
    top_k: Annotated[int, Field(ge=0, le=10_000)] = 250
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    guidance: Annotated[float, Field(ge=1, le=20)] = 3.0
    output_url: HttpUrl | None = Field(None, description="PUT the WAV here instead of answering with it.")
    progress_url: HttpUrl | None = Field(None, description="PUT a Progress here, at most every two seconds.")
    continue_url: HttpUrl | None = Field(None, description="GET the recording to go on from here.")
    melody_url: HttpUrl | None = Field(None, description="GET the melody to follow here.")
    timeout: Annotated[float, Field(gt=0, le=3600)] | None = Field(
        None, description="Seconds after which the song is no longer wanted."
    )

    def request(self, frame_rate: int, recording: FloatArray | None, melody: FloatArray | None) -> Request:
        """Raises ValueError for what no model can make."""
        sampling = Sampling(self.temperature, self.top_k, self.top_p, self.seed)
        frames = round(self.duration * frame_rate)
        return Request(self.prompt, frames, sampling, self.guidance, recording, melody)


class Progress(Message):
    progress: float  # 0 to 1
    seconds: float  # of music made


class Summary(Message):
    """What became of an invocation whose audio was put at its address."""

    id: str | None
    duration: float
    sample_rate: int
    channels: int
    seed: int
    seconds: float  # that it took
