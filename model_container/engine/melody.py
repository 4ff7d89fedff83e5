"""Which note sounds when: a melody model's conditioning from a recording.

Knows spectra and pitch classes. Must not know the decoder, except that a prefix goes before its tokens.
"""

from pathlib import Path

import numpy as np

from model_container.engine.checkpoint import FloatArray
from model_container.engine.config import MelodyConfig

FFT, HOP = 16384, 4096  # samples at 32 kHz: half a second, eight times a second
A0 = 27.5  # Hz
OCTAVE_CENTER, OCTAVE_WIDTH = 5.0, 2.0  # the octaves that count most


def chroma(sound: FloatArray, rate: int, bins: int = 12) -> FloatArray:
    """sound [samples] → [frames, bins]: 1 for the strongest pitch class of each frame, C first, else 0.

    The chromagram is Ellis's (2007), as MusicGen Melody was trained with. Training took drums and bass out
    first; a recording with both in it follows the melody less closely.
    """
    if len(sound) < FFT:
        missing = FFT - len(sound)
        sound = np.pad(sound, (missing // 2, missing - missing // 2))
    padded = np.pad(sound, FFT // 2, mode="reflect")
    starts = range(0, len(padded) - FFT + 1, HOP)
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT) / FFT)).astype(np.float32)
    power = np.stack([np.abs(np.fft.rfft(padded[start : start + FFT] * window)) ** 2 for start in starts])
    strongest = (power @ _filters(rate, bins).T).argmax(axis=1)
    onehot: FloatArray = np.eye(bins, dtype=np.float32)[strongest]
    return onehot


def _filters(rate: int, bins: int) -> FloatArray:
    """[bins, FFT // 2 + 1]: how much each frequency counts for each pitch class."""
    octaves = np.log2(np.linspace(0, rate, FFT, endpoint=False)[1:] / A0)
    octaves = np.concatenate(
        [[octaves[0] - 1.5], octaves]
    )  # 0 Hz has none; far below the first it does no harm
    pitch = bins * octaves
    widths = np.append(np.maximum(np.diff(pitch), 1.0), 1.0)
    distance = (pitch[None] - np.arange(bins)[:, None] + bins / 2) % bins - bins / 2
    bumps = np.exp(-0.5 * (2 * distance / widths) ** 2)
    bumps /= np.sqrt(np.square(bumps).sum(axis=0))
    bumps *= np.exp(-0.5 * ((octaves - OCTAVE_CENTER) / OCTAVE_WIDTH) ** 2)
    from_c: FloatArray = np.roll(bumps, -3 * (bins // 12), axis=0).astype(np.float32)  # it was from A
    return from_c[:, : FFT // 2 + 1]


class MelodyPrefix:
    """The states that a melody model reads before any token: [2, length + T, hidden], both rows'."""

    def __init__(self, folder: Path, config: MelodyConfig) -> None:
        self._config = config
        with np.load(folder / "melody.npz") as arrays:
            self._weight, self._bias = arrays["weight"], arrays["bias"]

    def states(self, text: FloatArray, melody: FloatArray | None) -> FloatArray:
        """text [T, hidden], melody [frames, bins] or none → the conditional row and the unconditional.

        No melody is the first pitch class throughout, as in training; no text, zeros.
        """
        silence = np.eye(1, self._config.bins, dtype=np.float32)
        rows = [(silence if melody is None else melody, text), (silence, np.zeros_like(text))]
        return np.stack([np.concatenate([self._chroma(notes), states]) for notes, states in rows])

    def _chroma(self, notes: FloatArray) -> FloatArray:
        index = np.arange(self._config.length) % len(notes)
        states: FloatArray = notes[index] @ self._weight.T + self._bias
        return states
