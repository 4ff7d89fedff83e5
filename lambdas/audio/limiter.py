r"""A look-ahead true-peak limiter. Knows levels in dB, not loudness.

The gain is worked out for blocks of 32 samples from the peaks of the oversampled signal:

    over      ____|‾|________________      dB above the ceiling, per block
    hold      ____|‾‾‾‾‾|____________      half a period of a bass note, so that its wave keeps its shape
    release   ____|‾‾‾‾‾‾\\\\..____      steep while the reduction is deep, gentle where it is shallow
    attack    __//|‾‾‾‾‾‾\\\\..____      a straight line backwards in time: the look-ahead

Each line is an upper envelope of the one above, hence the ceiling holds by construction up to what the
moving gain itself adds between samples. Every step is one pass of vector arithmetic over the whole file.
"""

import itertools
import math

import av
import numpy as np
from numpy.typing import NDArray

from lambdas.audio.waveform import CHUNK, Waveform

BLOCK = 32  # samples; under a millisecond at any rate we meet
OVERSAMPLED_HZ = 192_000  # BS.1770-5, annex 2: at least four times 48 kHz
HOLD_SECONDS = 0.010
RELEASE_DB_PER_SECOND = 60.0
RELEASE_SECONDS = 0.080  # time constant of what is added to it, in proportion to the reduction
ATTACK_DB_PER_SECOND = 2000.0

Levels = NDArray[np.float64]  # [blocks], dB


def peak_levels(waveform: Waveform) -> Levels:
    """Return the true-peak level in dB of every block of 32 samples, over all channels."""
    factor = math.ceil(OVERSAMPLED_HZ / waveform.rate)
    oversample = av.AudioResampler(
        format="fltp",
        layout=waveform.layout,
        rate=waveform.rate * factor,
        frame_size=BLOCK * factor * (CHUNK // BLOCK),
    )
    peaks = [
        _block_peaks(np.asarray(part.to_ndarray()), BLOCK * factor)
        for frame in itertools.chain(waveform.frames(), [None])
        for part in oversample.resample(frame)
    ]
    blocks = math.ceil(waveform.length / BLOCK)
    linear = np.zeros(blocks)
    found = np.concatenate(peaks)[:blocks]
    linear[: len(found)] = found
    return np.asarray(20 * np.log10(np.maximum(linear, 1e-10)))


def _block_peaks(samples: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    peaks = np.maximum(samples.max(axis=0), -samples.min(axis=0))
    return np.maximum.reduceat(peaks, np.arange(0, len(peaks), size))


def limit(waveform: Waveform, levels: Levels, gain_db: float, ceiling_db: float) -> Waveform:
    """Return the waveform raised by `gain_db` and kept below `ceiling_db`; `levels` are its peak_levels."""
    over = np.maximum(levels + (gain_db - ceiling_db), 0.0)
    if not over.any():
        return Waveform(waveform.samples * np.float32(10 ** (gain_db / 20)), waveform.rate)
    edges = _edges(_reduction(over, BLOCK / waveform.rate))
    gains = (10 ** ((gain_db - edges) / 20)).astype(np.float32)
    return Waveform(_apply(waveform.samples, gains), waveform.rate)


def _reduction(over: Levels, block_seconds: float) -> Levels:
    hold = max(1, round(HOLD_SECONDS / block_seconds))
    padded = np.concatenate([np.zeros(hold - 1), over])
    held: Levels = np.lib.stride_tricks.sliding_window_view(padded, hold).max(axis=1)
    released = _released(held, block_seconds)
    attacked = _falling(released[::-1], ATTACK_DB_PER_SECOND * block_seconds)
    return np.flip(attacked)


def _released(levels: Levels, block_seconds: float) -> Levels:
    """Let dL/dt = -(a + L/b): in u = b ln(1 + L/ab), how long L takes to zero, that is a straight line."""
    unit = RELEASE_DB_PER_SECOND * RELEASE_SECONDS
    to_zero = RELEASE_SECONDS * np.log1p(levels / unit)
    return unit * np.expm1(_falling(to_zero, block_seconds) / RELEASE_SECONDS)


def _falling(levels: Levels, step: float) -> Levels:
    """The lowest curve above `levels` that falls by no more than `step` per block."""
    slope = step * np.arange(len(levels))
    return np.asarray(np.maximum.accumulate(levels + slope) - slope)


def _edges(reduction: Levels) -> Levels:
    """Reduction at the blocks + 1 borders, so that a line between two of them clears its whole block."""
    edges: Levels = np.maximum(np.append(reduction, reduction[-1]), np.append(reduction[0], reduction))
    return edges


def _apply(samples: NDArray[np.float32], gains: NDArray[np.float32]) -> NDArray[np.float32]:
    out = np.empty_like(samples)
    ramp = np.arange(BLOCK, dtype=np.float32) / BLOCK
    for start in range(0, samples.shape[1], CHUNK):
        part = samples[:, start : start + CHUNK]
        first = start // BLOCK
        borders = gains[first : first + CHUNK // BLOCK + 1]
        curve = (borders[:-1, None] + np.diff(borders)[:, None] * ramp).reshape(-1)
        np.multiply(part, curve[: part.shape[1]], out=out[:, start : start + CHUNK])
    return out
