"""Segments that overlap become one recording: each is levelled to the one before, and faded in over its end.

A segment begins with its host's own rendering of the end of the one before. Both hold nearly the same sound
there, so the fade must not swell: its gains are those of an equal-power crossfade, held to constant power for
the correlation that the two sides have. Knows samples; must not know who made them.
"""

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import av
import numpy as np

from lambdas.audio.decode import decode
from lambdas.audio.waveform import Waveform
from lambdas.core.errors import UnusableAudio
from lambdas.core.ports import Stretch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]  # [channels, n], full scale ±1.0

FADE = 1.0  # seconds, right before the end of the segment before, which was made with the most before it
LOUDEST, QUIETEST = 4.0, 0.25  # gains that a segment may need to be as loud as the one before
SILENCE = 1e-4  # RMS below which there is no level to match
GAP = 0.01  # seconds between two segments that roundings may leave


class Joiner:
    """Implements ports.Joining."""

    def seconds(self, raw: bytes) -> float:
        return decode(raw).seconds

    def join(self, stretches: Sequence[Stretch]) -> bytes:
        """A WAV of 32-bit floats, as the first segment's rate and channels have it.

        Its length is the last segment's end to the sample, unless that segment falls short of it.
        """
        first, *others = stretches
        opening = decode(first.raw)
        rate = opening.rate
        joined = opening.samples[:, : round(first.end * rate)]
        for stretch in others:
            following = _alike(decode(stretch.raw), opening).samples
            begin, end = (round(moment * rate) for moment in (stretch.start, stretch.end))
            joined = _joined(joined, following[:, : end - begin], begin, rate)
        return _wav(joined, rate)


def _joined(before: "Samples", after: "Samples", begin: int, rate: int) -> "Samples":
    """`after` begins at sample `begin` of the piece, within `before` or at its end."""
    common = before.shape[1] - begin
    if common < -GAP * rate or common >= after.shape[1]:
        raise UnusableAudio("The segments do not meet.")
    if common <= 0:
        return np.concatenate([before, after], axis=1)
    levelled = after * np.float32(_gain(before[:, begin:], after[:, :common]))
    fade = min(common, round(FADE * rate))
    old, new = before[:, -fade:], levelled[:, common - fade : common]
    return np.concatenate([before[:, :-fade], crossfade(old, new), levelled[:, common:]], axis=1)


def crossfade(old: "Samples", new: "Samples") -> "Samples":
    """From one sound to the other with constant power; of a sound and itself it is that sound."""
    turn = (np.arange(old.shape[1], dtype=np.float32) + 0.5) / old.shape[1] * (np.pi / 2)
    out, into = np.cos(turn), np.sin(turn)
    swell = np.sqrt(1 + 2 * _correlation(old, new) * out * into)
    return cast("Samples", ((old * out + new * into) / swell).astype(np.float32))


def _correlation(one: "Samples", other: "Samples") -> float:
    """0 to 1: how far the two are the same sound."""
    power = float(np.sqrt(np.sum(one.astype(float) ** 2) * np.sum(other.astype(float) ** 2)))
    return 0.0 if power == 0 else min(1.0, max(0.0, float(np.sum(one.astype(float) * other)) / power))


def _gain(wanted: "Samples", given: "Samples") -> float:
    """Hosts bring each segment to a level of its own; what both hold tells by how much."""
    levels = [float(np.sqrt(np.mean(side.astype(float) ** 2))) for side in (wanted, given)]
    return min(LOUDEST, max(QUIETEST, levels[0] / levels[1])) if min(levels) > SILENCE else 1.0


def _alike(waveform: Waveform, model: Waveform) -> Waveform:
    """With the model's rate and channels: another host may give others."""
    if (waveform.rate, waveform.channels) == (model.rate, model.channels):
        return waveform
    convert = av.AudioResampler(format="fltp", layout=model.layout, rate=model.rate)
    frames = [part for frame in (*waveform.frames(), None) for part in convert.resample(frame)]
    samples = np.concatenate([cast("Samples", frame.to_ndarray()) for frame in frames], axis=1)
    return Waveform(samples, model.rate)


def _wav(samples: "Samples", rate: int) -> bytes:
    """IEEE floats lose nothing and clip nothing (RFC 2361, WAVE_FORMAT_IEEE_FLOAT)."""
    channels, length = samples.shape
    data = np.ascontiguousarray(samples.T, dtype="<f4").tobytes()
    shape = struct.pack("<HHIIHHH", 3, channels, rate, 4 * channels * rate, 4 * channels, 32, 0)
    chunks = ((b"fmt ", shape), (b"fact", struct.pack("<I", length)), (b"data", data))
    body = b"WAVE" + b"".join(name + struct.pack("<I", len(chunk)) + chunk for name, chunk in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body
