"""Recordings as one, without a model: the mock of what blends, and what a blend is to be measured against."""

import io
import wave
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float64]  # [samples], full scale ±1.0
SILENT = 1e-6  # root mean square


def mix(tracks: Sequence[bytes], seconds: float) -> bytes:
    """16-bit mono WAVs of one rate → one of `seconds`: all brought to their common level, added, and brought
    to that level again. A track that is shorter is silent from its end on."""
    rate = _rate(tracks[0])
    sounds = [_fitted(_read(track), round(seconds * rate)) for track in tracks]
    level = _level(np.stack(sounds))
    return _written(_at(level, np.sum([_at(level, sound) for sound in sounds], axis=0)), rate)


def _at(level: float, sound: Sound) -> Sound:
    own = _level(sound)
    return sound * (level / own) if own >= SILENT else sound


def _level(sound: Sound) -> float:
    return float(np.sqrt(np.mean(np.square(sound))))


def _fitted(sound: Sound, length: int) -> Sound:
    return np.pad(sound[:length], (0, max(0, length - len(sound))))


def _rate(wav: bytes) -> int:
    with wave.open(io.BytesIO(wav)) as file:
        return int(file.getframerate())


def _read(wav: bytes) -> Sound:
    with wave.open(io.BytesIO(wav)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768


def _written(sound: Sound, rate: int) -> bytes:
    scaled = sound * (32767 / max(1.0, float(np.abs(sound).max(initial=0.0))))
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.rint(scaled).astype("<i2").tobytes())
    return buffer.getvalue()
