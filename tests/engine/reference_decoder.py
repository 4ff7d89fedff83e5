"""MusicGen's decoder layers in plain numpy and double precision, from the paper's definition: the oracle.

Slow and obvious: every row keeps its hidden states' keys and values in lists, and attention is written out.
"""

from dataclasses import dataclass, field
from math import erf, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_container.engine.config import DecoderConfig, MelodyConfig
from model_container.engine.decoder import (
    CrossWeights,
    DecoderWeights,
    FloatArray,
    IntArray,
    LayerWeights,
    NormWeights,
)

Array = NDArray[Any]
_erf = np.vectorize(erf)


def tiny_config(
    *,
    hidden: int = 64,
    heads: int = 4,
    layers: int = 2,
    ffn: int = 128,
    codebooks: int = 4,
    vocabulary: int = 40,
    melody: bool = False,
) -> DecoderConfig:
    bins = MelodyConfig(12, 8) if melody else None
    return DecoderConfig(hidden, heads, layers, ffn, codebooks, vocabulary, 1, bins)


class RandomWeights:
    """Weights as a trained model's are in scale, made layer by layer from a seed."""

    def __init__(self, config: DecoderConfig, seed: int = 0, spread: float = 0.02) -> None:
        self.config, self._seed, self._spread = config, seed, spread

    def layer(self, index: int) -> LayerWeights:
        draw = np.random.default_rng((self._seed, index))
        hidden, ffn = self.config.hidden, self.config.ffn
        query, key, value, out, *cross_matrices = (self._matrix(draw, hidden, hidden) for _ in range(8))
        cross = None if self.config.melody else CrossWeights(self._norm(draw), *cross_matrices)
        up, down = self._matrix(draw, ffn, hidden), self._matrix(draw, hidden, ffn)
        return LayerWeights(self._norm(draw), query, key, value, out, cross, self._norm(draw), up, down)

    def norm(self) -> NormWeights:
        return self._norm(np.random.default_rng((self._seed, 1000)))

    def heads(self) -> FloatArray:
        rows = self.config.codebooks * self.config.vocabulary
        return self._matrix(np.random.default_rng((self._seed, 1001)), rows, self.config.hidden)

    def _matrix(self, draw: np.random.Generator, outputs: int, inputs: int) -> FloatArray:
        return draw.standard_normal((outputs, inputs), np.float32) * np.float32(self._spread)

    def _norm(self, draw: np.random.Generator) -> NormWeights:
        scale, bias = draw.standard_normal((2, self.config.hidden), np.float32) * np.float32(0.1)
        return NormWeights(scale + 1, bias)


@dataclass
class _Row:
    text: Array
    keys: dict[int, dict[int, Array]] = field(default_factory=dict)
    values: dict[int, dict[int, Array]] = field(default_factory=dict)


class ReferenceDecoder:
    """A `Decoder` without slots' limits."""

    slots = max_positions = 1 << 20

    def __init__(self, weights: DecoderWeights) -> None:
        self.config = weights.config
        self._layers = [weights.layer(i) for i in range(self.config.layers)]
        self._norm, self._heads = weights.norm(), weights.heads().astype(np.float64)
        self._rows: dict[tuple[int, int], _Row] = {}

    def admit(self, slot: int, text: FloatArray) -> None:
        self._rows[slot, 0] = _Row(text.astype(np.float64))
        self._rows[slot, 1] = _Row(np.zeros((0, self.config.hidden)))

    def prefill(self, slot: int, hidden: FloatArray, position: int) -> None:
        for half in (0, 1):
            for i, x in enumerate(hidden[half]):
                self._hidden(self._rows[slot, half], x, position + i)

    def step(
        self, slots: IntArray, hidden: FloatArray, positions: IntArray, guidance: FloatArray
    ) -> FloatArray:
        logits = []
        for slot, x, position, scale in zip(slots, hidden, positions, guidance, strict=True):
            halves = [self._hidden(self._rows[slot, half], x, position) for half in (0, 1)]
            c, u = (self._heads @ normalize(state, self._norm) for state in halves)
            logits.append((u + (c - u) * scale).reshape(self.config.codebooks, -1))
        return np.array(logits, np.float32)

    def release(self, slot: int) -> None:
        del self._rows[slot, 0], self._rows[slot, 1]

    def _hidden(self, row: _Row, embedding: Array, position: int) -> Array:
        x = embedding.astype(np.float64)
        for index, layer in enumerate(self._layers):
            h = normalize(x, layer.self_norm)
            keys, values = row.keys.setdefault(index, {}), row.values.setdefault(index, {})
            keys[position], values[position] = layer.key @ h, layer.value @ h
            past = range(position + 1)
            seen = np.array([keys[t] for t in past]), np.array([values[t] for t in past])
            x = x + layer.out @ self._attend(layer.query @ h, *seen)
            if layer.cross and len(row.text):
                h = layer.cross.query @ normalize(x, layer.cross.norm)
                text = row.text @ layer.cross.key.T, row.text @ layer.cross.value.T
                x = x + layer.cross.out @ self._attend(h, *text)
            h = layer.up @ normalize(x, layer.ffn_norm)
            x = x + layer.down @ (h * (1 + _erf(h / sqrt(2))) / 2)
        return x

    def _attend(self, query: Array, keys: Array, values: Array) -> Array:
        size = self.config.head
        heads = [slice(i * size, (i + 1) * size) for i in range(self.config.heads)]
        parts = []
        for head in heads:
            scores = keys[:, head] @ query[head] / sqrt(size)
            weights = np.exp(scores - scores.max())
            parts.append(weights @ values[:, head] / weights.sum())
        return np.concatenate(parts)


def normalize(x: Array, norm: NormWeights) -> Array:
    return np.asarray((x - x.mean()) / np.sqrt(x.var() + 1e-5) * norm.scale + norm.bias)
