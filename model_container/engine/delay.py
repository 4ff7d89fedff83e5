"""The delay pattern: codebook k of a frame is generated k steps after the frame's first.

Knows columns of tokens. Must not know how tokens are chosen or what they mean.

Five frames of four codebooks, the last two of which are to be generated (P: pad, a-c: given, ·: generated):

    column       0  1  2  3  4  5  6  7  8
    codebook 0   P  a  b  c  ·  ·  P  P  P
    codebook 1   P  P  a  b  c  ·  ·  P  P
    codebook 2   P  P  P  a  b  c  ·  ·  P
    codebook 3   P  P  P  P  a  b  c  ·  ·
                            ▲
                            the first column with something to generate; what is before it is the prompt

In stereo, codebooks 2k and 2k + 1 are the left and right of the same k and share its delay
(Copet et al. 2023, arXiv:2306.05284, "delay" pattern; stereo as in the published stereo checkpoints).
"""

import numpy as np
from numpy.typing import NDArray

from model_container.engine.config import DecoderConfig
from model_container.engine.decoder import IntArray


class DelayedCodes:
    """A piece's codes while they are generated, column by column."""

    def __init__(self, config: DecoderConfig, frames: int, prompt: IntArray | None = None) -> None:
        """prompt: [codebooks, given], the first frames' codes; fewer than `frames`."""
        self._pad = config.pad
        self._delays = np.arange(config.codebooks) // config.channels
        self._codes = np.full((config.codebooks, frames), self._pad, np.int64)
        self._given = 0 if prompt is None else prompt.shape[1]
        if self._given >= frames:
            raise ValueError(f"a prompt of {self._given} frames leaves nothing of {frames} to generate")
        if prompt is not None:
            self._codes[:, : self._given] = prompt
        self._next = self._given + 1

    @property
    def frames(self) -> int:
        return self._codes.shape[1]

    @property
    def given(self) -> int:
        return self._given

    @property
    def next(self) -> int:
        """The column to be generated next."""
        return self._next

    @property
    def last(self) -> int:
        """The last column that holds a code."""
        return self.frames + int(self._delays[-1])

    @property
    def done(self) -> bool:
        return self._next > self.last

    @property
    def complete(self) -> int:
        """Frames, from the first on, that have all their codes."""
        return max(self._given, min(self.frames, self._next - 1 - int(self._delays[-1])))

    def columns(self, start: int, stop: int) -> IntArray:
        """[stop - start, codebooks]: the tokens of columns before `next`."""
        frame = np.arange(start, stop)[:, None] - 1 - self._delays
        inside = (frame >= 0) & (frame < self.frames)
        codes = self._codes[np.arange(len(self._codes)), np.clip(frame, 0, self.frames - 1)]
        return np.where(inside, codes, self._pad)

    def open(self, start: int, stop: int) -> NDArray[np.bool_]:
        """[stop - start, codebooks]: whether a token is to be generated there."""
        frame = np.arange(start, stop)[:, None] - 1 - self._delays
        return np.asarray((frame >= self._given) & (frame < self.frames))

    def append(self, tokens: IntArray) -> None:
        """Take what was generated for column `next`, [codebooks]; what the pattern fixes stays."""
        frame = self._next - 1 - self._delays
        rows = np.flatnonzero((frame >= self._given) & (frame < self.frames))
        self._codes[rows, frame[rows]] = tokens[rows]
        self._next += 1

    def codes(self, start: int, stop: int) -> IntArray:
        """[codebooks, stop - start] of complete frames."""
        if stop > self.complete:
            raise ValueError(f"frame {stop} is not complete: {self.complete} are")
        return self._codes[:, start:stop]
