"""WAV files as the engine takes them: floats at the model's rate.

Knows WAV. Must not know where files come from.
"""

import io
import wave
from typing import IO

import numpy as np

from model_container.engine.decoder import FloatArray
from model_container.engine.resampling import resample_parts

MAX_RATE = 192_000


def read_wav(
    file: IO[bytes], rate: int, max_seconds: float, start: float = 0.0, *, mono: bool = False
) -> FloatArray:
    """PCM of 8 to 32 bits → [channels, samples] at `rate`, at most so many seconds of it from `start`.

    mono: the mean of the channels as the only one. Raises ValueError if it is not that, or ends before.
    """
    try:
        with wave.open(file, "rb") as sound:
            return _read(sound, _samples(file, sound), rate, max_seconds, start, mono)
    except (wave.Error, EOFError, RuntimeError) as error:  # the last, of a chunk beyond the end
        raise ValueError(f"an input is not a PCM WAV file: {error}") from error


def _samples(file: IO[bytes], sound: wave.Wave_read) -> int:
    """How many there really are: a header may promise more. The file stands at the first."""
    _check(sound.getnchannels(), sound.getsampwidth(), sound.getframerate())
    first = file.tell()
    there = (file.seek(0, io.SEEK_END) - first) // (sound.getnchannels() * sound.getsampwidth())
    return min(sound.getnframes(), there)


def _read(
    sound: wave.Wave_read, samples: int, rate: int, max_seconds: float, start: float, mono: bool
) -> FloatArray:
    channels, width, own = sound.getnchannels(), sound.getsampwidth(), sound.getframerate()
    if start * own >= samples:
        raise ValueError(f"a start at {start:g} s is past the end, {samples / own:g} s")
    begin = int(start * own)

    def read(first: int, stop: int) -> FloatArray:
        sound.setpos(begin + first)
        part = _floats(sound.readframes(stop - first), width).reshape(-1, channels).T
        return part.mean(axis=0, keepdims=True) if mono else part

    count = min(samples - begin, int(max_seconds * own))
    return resample_parts(read, 1 if mono else channels, count, own, rate)


def _check(channels: int, width: int, rate: int) -> None:
    if not (1 <= channels <= 2 and 1 <= rate <= MAX_RATE):
        raise ValueError(f"an input has {channels} channels at {rate} Hz")
    if width > 4:
        raise ValueError(f"an input has samples of {8 * width} bits")


def _floats(raw: bytes, width: int) -> FloatArray:
    if width == 3:
        wide = np.zeros((len(raw) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        return _floats(wide.tobytes(), 4)
    samples: FloatArray = np.frombuffer(raw, "u1" if width == 1 else f"<i{width}").astype(np.float32)
    samples /= np.float32(1 << (8 * width - 1))
    if width == 1:  # which alone is unsigned
        samples -= np.float32(1)
    return samples
