"""Uncompressed audio in memory, and its way into FFmpeg. Knows nothing of files, loudness or formats."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

CHUNK = 1 << 16  # samples per frame: large enough to hide Python's cost, small enough to stay in cache


@dataclass(frozen=True, slots=True, eq=False)
class Waveform:
    """`samples` is float32 [channels, N], full scale ±1.0, one or two channels; `rate` is in Hz."""

    samples: NDArray[np.float32]
    rate: int

    @property
    def channels(self) -> int:
        return len(self.samples)

    @property
    def layout(self) -> str:
        return "mono" if self.channels == 1 else "stereo"

    @property
    def length(self) -> int:
        """Samples per channel."""
        return int(self.samples.shape[1])

    @property
    def seconds(self) -> float:
        return self.length / self.rate

    @property
    def peak(self) -> float:
        """The largest magnitude of a sample; NaN when any sample is NaN."""
        return float(max(self.samples.max(), -self.samples.min()))

    def frames(self, gain: float = 1.0) -> Iterator[av.AudioFrame]:
        """Yield the samples times `gain` as planar float frames with their time stamps."""
        for start in range(0, self.length, CHUNK):
            part = np.ascontiguousarray(self.samples[:, start : start + CHUNK])
            scaled = part if gain == 1.0 else part * np.float32(gain)
            frame = av.AudioFrame.from_ndarray(scaled, format="fltp", layout=self.layout)
            frame.sample_rate, frame.time_base, frame.pts = self.rate, Fraction(1, self.rate), start
            yield frame
