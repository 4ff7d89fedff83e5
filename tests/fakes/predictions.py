"""A prediction's life at Replicate, and what meta/musicgen makes of its inputs there.

States and deadlines: https://replicate.com/docs/topics/predictions/lifecycle. The model: the inputs that it
publishes, and the errors that its source raises (https://github.com/replicate/cog-musicgen).
"""

import io
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

BOOT = 20.0  # seconds before a machine is there
PACE = 1.5  # seconds of computing per second of audio
RATE = 32_000  # Hz

EDITIONS = ("stereo-melody-large", "stereo-large", "melody-large", "large")


@dataclass
class Prediction:
    id: str
    asked: dict[str, Any]  # the request's body
    created: datetime
    deadline: datetime | None
    boot: float = BOOT
    pace: float = PACE
    canceled: datetime | None = None
    error: str | None = None  # what the model will raise
    recording: bytes | None = None  # a WAV that it goes on from, where there was one to be fetched

    @property
    def seconds(self) -> int:
        return int(self.asked["input"].get("duration", 8))

    @property
    def started(self) -> datetime:
        return self.created + timedelta(seconds=self.boot)

    @property
    def over(self) -> datetime:
        """When it ends by itself, unless somebody stops it."""
        return self.started + timedelta(seconds=0 if self.error else self.pace * self.seconds)

    def end(self) -> tuple[datetime, str]:
        """When it ends as things stand, and how."""
        ends = [(self.over, "failed" if self.error else "succeeded")]
        if self.canceled is not None:
            ends.append((self.canceled, "canceled"))
        if self.deadline is not None:
            ends.append((self.deadline, "aborted" if self.deadline < self.started else "canceled"))
        return min(ends)


def wav(prediction: Prediction) -> bytes:
    """As long as was asked, in the edition's channels: what it goes on from, then a tone of the seed's."""
    channels = 2 if "stereo" in prediction.asked["input"].get("model_version", EDITIONS[0]) else 1
    given = _frames(prediction.recording, channels)
    left = RATE * prediction.seconds - len(given) // (2 * channels)
    with io.BytesIO() as buffer:
        with wave.open(buffer, "wb") as file:
            file.setnchannels(channels)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(given + _tone(prediction.asked["input"].get("seed", 0), channels, left))
        return buffer.getvalue()


def seconds_of(recording: bytes) -> float:
    with wave.open(io.BytesIO(recording), "rb") as file:
        return file.getnframes() / file.getframerate()


def _frames(recording: bytes | None, channels: int) -> bytes:
    if recording is None:
        return b""
    with wave.open(io.BytesIO(recording), "rb") as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, channels, 2)
        return file.readframes(file.getnframes())


def _tone(seed: int, channels: int, frames: int) -> bytes:
    """A square wave, loud enough to have a level."""
    half = 32 + seed % 32  # frames
    up, down = ((level.to_bytes(2, "little", signed=True) * channels) * half for level in (8000, -8000))
    cycle = up + down
    return (cycle * (frames * 2 * channels // len(cycle) + 1))[: frames * 2 * channels]


def raised(inputs: Mapping[str, Any], recordings: Mapping[str, float]) -> str | None:
    """What the model's own checks say. recordings: seconds by address."""
    recording, edition = inputs.get("input_audio", ""), inputs.get("model_version", EDITIONS[0])
    continuing = inputs.get("continuation", False)
    if continuing and not recording:
        return "Must provide `input_audio` if continuation is `True`."
    if recording and not continuing and "melody" not in edition:
        return "`stereo-large` and `large` model does not support melody input."
    if continuing and recordings.get(recording, 0.0) >= inputs.get("duration", 8):
        return "Prompt is longer than audio to generate"
    return None


def logs(prediction: Prediction, computed: float) -> str:
    """The seed, and a line that is written over at every token, 50 a second and three for the delays."""
    total = 50 * prediction.seconds + 3
    made = min(total, round(total * computed / (prediction.pace * prediction.seconds)))
    counted = (f"{step: 6d} / {total: 6d}\r" for step in range(max(0, made - 40), made + 1))
    return f"Using seed {prediction.asked['input'].get('seed')}\n" + "".join(counted)
