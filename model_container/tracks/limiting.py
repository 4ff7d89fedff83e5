"""A limiter that looks ahead: what would be too loud is turned down smoothly, never cut off.

Knows samples. Must not know where they come from. Peaks are those between samples too, as
ITU-R BS.1770-5, annex 2, finds them: at four times the rate.
"""

import numpy as np

from model_container.engine.checkpoint import FloatArray
from model_container.engine.resampling import ZEROS, kernel

CEILING = float(10 ** (-1 / 20))  # −1 dB of full scale
OVERSAMPLING = 4
REACH = 7  # the gain begins to move 2^REACH samples ahead: 5 ms at 24 kHz


def limit(sound: FloatArray, ceiling: float = CEILING) -> FloatArray:
    """[samples] whose true peaks are within `ceiling`; what is so already is not touched."""
    peaks = true_peaks(sound)
    if peaks.max(initial=0) <= ceiling:
        return sound
    needed = np.minimum(1, ceiling / np.maximum(peaks, ceiling))
    padded = np.pad(needed, 2 ** (REACH + 1), constant_values=1)
    return (sound * _smoothed(_lowest(padded), len(sound))).astype(np.float32)


def true_peaks(sound: FloatArray) -> FloatArray:
    """For each sample [samples], the highest magnitude at it or between it and its neighbours."""
    peaks, padded = np.abs(sound), np.pad(sound, (ZEROS - 1, ZEROS))
    for phase in range(1, OVERSAMPLING):
        taps = kernel(phase / OVERSAMPLING - np.arange(1 - ZEROS, ZEROS + 1, dtype=np.float64))
        after = np.abs(np.convolve(padded, taps[::-1], mode="valid"))
        peaks = np.maximum(peaks, after)
        peaks[1:] = np.maximum(peaks[1:], after[:-1])
    return peaks


def _lowest(gain: FloatArray) -> FloatArray:
    """The lowest of each 2^(REACH + 1) values from here on, by doubling."""
    for step in range(REACH + 1):
        ahead = np.append(gain[1 << step :], np.ones(1 << step, gain.dtype))
        gain = np.minimum(gain, ahead)
    return gain


def _smoothed(gain: FloatArray, samples: int) -> FloatArray:
    """Means of 2^REACH values, each of which has looked at the sample that the mean stands for."""
    window = 2**REACH
    kernel = np.hanning(window + 1)[:-1] + 1e-3
    smooth: FloatArray = np.convolve(gain, kernel / kernel.sum(), mode="valid")
    return smooth[window // 2 + 1 :][:samples]
