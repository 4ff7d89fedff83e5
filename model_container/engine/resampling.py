"""Sound at one rate to another, through a sinc under a Kaiser window.

Knows interpolation. Must not know where sound comes from.
"""

from math import gcd

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from model_container.engine.checkpoint import FloatArray

Distances = NDArray[np.float64]

ZEROS = 16  # of the sinc on each side: enough for 16 bits


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
        result[:, phase::up] = np.matmul(windows[:, starts], kernel(distance, min(1.0, up / down)))
    return result


def kernel(distance: Distances, cutoff: float = 1.0) -> FloatArray:
    """What an input sample at a distance counts for; frequencies above `cutoff` of its own half rate go."""
    width = ZEROS / cutoff
    window = np.i0(9.0 * np.sqrt(np.maximum(1 - (distance / width) ** 2, 0))) / np.i0(9.0)
    values: FloatArray = (cutoff * np.sinc(cutoff * distance) * window).astype(np.float32)
    return values
