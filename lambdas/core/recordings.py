"""Recordings: what callers may send; what finished ones measure, say of themselves, come in. Pure values."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

LONGEST_RECORDING = 20 * 60  # seconds of what a caller may send
SHORTEST_PART = 1  # seconds of what may be used of it


class Format(StrEnum):
    WAV = "wav"
    MP3 = "mp3"
    FLAC = "flac"
    OGG = "ogg"


CONTENT_TYPES: Mapping[Format, str] = {
    Format.WAV: "audio/wav",
    Format.MP3: "audio/mpeg",
    Format.FLAC: "audio/flac",
    Format.OGG: "audio/ogg",
}


@dataclass(frozen=True, slots=True)
class Label:
    """What every file says of its origin, machine-readably."""

    title: str
    job_id: str
    model: str
    model_revision: str
    licence: str
    seed: int
    mock: bool


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a recording measures, of its WAV. `loudness_lufs` is None for digital silence."""

    seconds: float
    sample_rate: int
    channels: int
    loudness_lufs: float | None
    true_peak_dbtp: float | None


@dataclass(frozen=True, slots=True)
class Recording:
    """A mastered song: one complete file per format and the waveform's peaks as JSON."""

    files: Mapping[Format, bytes]
    peaks: bytes
    measurement: Measurement
    signed: frozenset[Format]  # formats that carry a signed C2PA manifest
