"""WAV files as the engine takes them: floats at the model's rate.

Knows WAV and resampling. Must not know where files come from.
"""

import io
import wave
from math import gcd

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from model_container.engine.decoder import FloatArray

Distances = NDArray[np.float64]

ZEROS = 16  # of the sinc on each side: enough for 16 bits
MAX_RATE = 192_000


def read_wav(data: bytes, rate: int, max_seconds: float) -> FloatArray:
    """PCM of 8 to 32 bits → [channels, samples] at `rate`, at most so many seconds of it.

    Raises ValueError if it is not that.
    """
    try:
        with wave.open(io.BytesIO(data)) as file:
            channels, width, own = file.getnchannels(), file.getsampwidth(), file.getframerate()
            raw = file.readframes(int(max_seconds * own))
    except (wave.Error, EOFError) as error:
        raise ValueError(f"an input is not a PCM WAV file: {error}") from error
    if not (1 <= channels <= 2 and 1 <= own <= MAX_RATE):
        raise ValueError(f"an input has {channels} channels at {own} Hz")
    samples = _floats(raw[: len(raw) // (channels * width) * channels * width], width)
    return resample(samples.reshape(-1, channels).T, own, rate)


def resample(sound: FloatArray, source: int, target: int) -> FloatArray:
    """[channels, samples] at one rate → at another, through a sinc under a Kaiser window."""
    if source == target:
        return np.ascontiguousarray(sound)
    up, down = target // gcd(source, target), source // gcd(source, target)
    reach = -(-ZEROS * max(up, down) // up)  # input samples on each side
    result = np.zeros((len(sound), -(-sound.shape[1] * up // down)), np.float32)
    windows = sliding_window_view(np.pad(sound, ((0, 0), (reach, reach + down))), 2 * reach, axis=1)
    for phase in range(min(up, result.shape[1])):
        # Outputs `up` apart lie alike between the input's samples: one filter for all of them.
        first, between = divmod(phase * down, up)
        distance: Distances = between / up - np.arange(1 - reach, reach + 1, dtype=np.float64)
        starts = first + 1 + down * np.arange(len(result[0, phase::up]))
        result[:, phase::up] = np.matmul(windows[:, starts], _kernel(distance, min(1.0, up / down)))
    return result


def _kernel(distance: Distances, cutoff: float) -> FloatArray:
    """What an input sample at a distance counts for; frequencies above `cutoff` of its own half rate go."""
    width = ZEROS / cutoff
    window = np.i0(9.0 * np.sqrt(np.maximum(1 - (distance / width) ** 2, 0))) / np.i0(9.0)
    kernel: FloatArray = (cutoff * np.sinc(cutoff * distance) * window).astype(np.float32)
    return kernel


def _floats(raw: bytes, width: int) -> FloatArray:
    if width == 1:
        unsigned: FloatArray = np.frombuffer(raw, np.uint8).astype(np.float32)
        return unsigned / np.float32(128) - np.float32(1)
    if width == 3:
        wide = np.zeros((len(raw) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        return _floats(wide.tobytes(), 4)
    samples: FloatArray = np.frombuffer(raw, f"<i{width}").astype(np.float32)
    return samples / np.float32(1 << (8 * width - 1))
