"""Sound at one rate to another, through a sinc under a Kaiser window.

Knows interpolation. Must not know where sound comes from.
"""

from collections.abc import Callable
from math import gcd

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from model_container.engine.checkpoint import FloatArray

Distances = NDArray[np.float64]

Read = Callable[[int, int], FloatArray]  # samples from one to before another, [channels, n]

ZEROS = 16  # of the sinc on each side: enough for 16 bits
BLOCK = 1 << 15  # input samples that are worked on at a time; each is copied once for every tap of a filter


def resample(sound: FloatArray, source: int, target: int) -> FloatArray:
    """[channels, samples] at one rate → at another, through a sinc under a Kaiser window."""
    channels, samples = sound.shape
    return resample_parts(lambda start, stop: sound[:, start:stop], channels, samples, source, target)


def resample_parts(read: Read, channels: int, samples: int, source: int, target: int) -> FloatArray:
    """The same of a sound that is read as it is needed, and of which a block at a time is held."""
    if source == target:
        return np.ascontiguousarray(read(0, samples))
    up, down = target // gcd(source, target), source // gcd(source, target)
    reach = -(-ZEROS * max(up, down) // up)  # input samples on each side
    result = np.zeros((channels, -(-samples * up // down)), np.float32)
    periods = max(1, BLOCK // (down * channels))  # of `down` samples in and `up` out
    filters = [_filter(phase, up, down, reach) for phase in range(min(up, result.shape[1]))]
    for first in range(0, result.shape[1], periods * up):
        start = first // up * down
        before, after = max(start - reach, 0), min(start + periods * down + reach + 1, samples)
        piece = np.zeros((channels, periods * down + 2 * reach + 1), np.float32)
        piece[:, before - start + reach : after - start + reach] = read(before, after)
        windows = sliding_window_view(piece, 2 * reach, axis=1)
        block = result[:, first : first + periods * up]
        for phase, (offset, weights) in enumerate(filters):
            part = block[:, phase::up]
            part[:] = np.matmul(windows[:, offset::down][:, : part.shape[1]], weights)
    return result


def _filter(phase: int, up: int, down: int, reach: int) -> tuple[int, FloatArray]:
    """For outputs `up` apart, which lie alike between the input's samples: where their windows begin, and
    what counts for how much in these.
    """
    first, between = divmod(phase * down, up)
    distance: Distances = between / up - np.arange(1 - reach, reach + 1, dtype=np.float64)
    return first + 1, kernel(distance, min(1.0, up / down))


def kernel(distance: Distances, cutoff: float = 1.0) -> FloatArray:
    """What an input sample at a distance counts for; frequencies above `cutoff` of its own half rate go."""
    width = ZEROS / cutoff
    window = np.i0(9.0 * np.sqrt(np.maximum(1 - (distance / width) ** 2, 0))) / np.i0(9.0)
    values: FloatArray = (cutoff * np.sinc(cutoff * distance) * window).astype(np.float32)
    return values
