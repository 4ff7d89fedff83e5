"""What every decoder of MusicGen is: hidden states in, guided logits out.

Knows shapes and the contract. Must not know tokens, sampling, the delay pattern, or how a decoder computes.

A song occupies one slot. A slot holds two rows: the conditional one, which sees the text, and the
unconditional one, which does not. Each row has its own keys and values, for every position from 0 on:

    slot 2, melody model            slot 5, text model
    ┌─────────┬──────┬────────┐     ┌────────┐
    │ chroma  │ text │ tokens │     │ tokens │ ──cross-attention──► text (conditional row only)
    └─────────┴──────┴────────┘     └────────┘
    0         235    …              0
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model_container.engine.config import DecoderConfig

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class NormWeights:
    """Scale and bias of a LayerNorm (epsilon 1e-5), each [hidden]."""

    scale: FloatArray
    bias: FloatArray


@dataclass(frozen=True, eq=False)
class CrossWeights:
    """Cross-attention over the text; every matrix is [hidden, hidden], output first, and has no bias."""

    norm: NormWeights
    query: FloatArray
    key: FloatArray
    value: FloatArray
    out: FloatArray


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """One pre-norm layer: self-attention, cross-attention, feed-forward with exact GELU; no biases."""

    self_norm: NormWeights
    query: FloatArray  # [hidden, hidden], output first
    key: FloatArray
    value: FloatArray
    out: FloatArray
    cross: CrossWeights | None  # melody models have none
    ffn_norm: NormWeights
    up: FloatArray  # [ffn, hidden]
    down: FloatArray  # [hidden, ffn]


class DecoderWeights(Protocol):
    """A decoder's weights as fp32, one layer at a time, so that a packer never holds all of them."""

    @property
    def config(self) -> DecoderConfig: ...

    def layer(self, index: int) -> LayerWeights: ...

    def norm(self) -> NormWeights:
        """The norm after the last layer."""
        ...

    def heads(self) -> FloatArray:
        """All codebooks' output heads, [codebooks * vocabulary, hidden]."""
        ...


class Decoder(Protocol):
    """Transformer layers over preallocated keys and values, with a position per row.

    A slot's results depend on what was given to that slot alone, bit for bit, whatever the other slots do.
    """

    @property
    def config(self) -> DecoderConfig: ...

    @property
    def slots(self) -> int: ...

    @property
    def max_positions(self) -> int: ...

    def admit(self, slot: int, text: FloatArray) -> None:
        """Give a slot to a new song and compute its cross-attention keys and values, once.

        text: [T, hidden], the projected encoder states of the real (not padded) text tokens; T may be 0:
        then cross-attention adds nothing. The unconditional row needs none: its states are zero and the
        projections have no bias, so its cross-attention is exactly zero. Melody models take [0, hidden].
        """
        ...

    def prefill(self, slot: int, hidden: FloatArray, position: int) -> None:
        """Append many positions at once to both rows of a slot: an audio prompt or a melody's prefix.

        hidden: [2, n, hidden], embeddings with their positions added; conditional, then unconditional.
        position: that of hidden[:, 0]; everything before it must have been given already.
        """
        ...

    def step(
        self, slots: IntArray, hidden: FloatArray, positions: IntArray, guidance: FloatArray
    ) -> FloatArray:
        """One new position for each of the given slots, both rows of each.

        slots [n] (distinct), hidden [n, hidden] (embedding with its position added, the same for both rows),
        positions [n], guidance [n] → logits [n, codebooks, vocabulary]: u + (c - u) * guidance of the
        conditional row's c and the unconditional row's u (Ho and Salimans 2022, arXiv:2207.12598).
        """
        ...

    def release(self, slot: int) -> None:
        """Forget a slot's song. What it held may be overwritten by the next one."""
        ...
