"""What goes into the decoder: a column of tokens, one for each codebook, at a position.

Knows the embedding table. Must not know where tokens come from.
"""

import numpy as np

from model_container.engine.decoder import FloatArray, IntArray


class Embedding:
    """table: [codebooks, vocabulary + 1, hidden]; may be memory-mapped, only the rows used are read."""

    def __init__(self, table: FloatArray, positions: int) -> None:
        self._table = table
        self._codebooks = np.arange(len(table))
        self._positions = sinusoids(positions, table.shape[2])

    def tokens(self, tokens: IntArray, positions: IntArray) -> FloatArray:
        """tokens [n, codebooks] at positions [n] → [n, hidden]."""
        summed: FloatArray = self._table[self._codebooks, tokens].sum(axis=1)
        return self.states(summed, positions)

    def states(self, states: FloatArray, positions: IntArray) -> FloatArray:
        """States [n, hidden] that are no tokens (a melody's prefix), at their positions."""
        return states + self._positions[positions]


def sinusoids(count: int, size: int) -> FloatArray:
    """Positions as cosines, then sines, of geometrically falling frequencies, [count, size].

    After "Attention Is All You Need" (arXiv:1706.03762), rounded to fp32 where MusicGen rounded in training.
    """
    half = size // 2
    exponents = np.arange(half, dtype=np.float32) * np.float32(-np.log(10000) / (half - 1))
    frequencies = np.exp(exponents, dtype=np.float64).astype(np.float32)
    angles = np.arange(count, dtype=np.float32)[:, None] * frequencies
    table = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    return np.pad(table, ((0, 0), (0, size % 2)))
