"""MusicGen's layers as functions over tensors: embeddings, weights and a cache in, hidden states out.

Knows the layers' arithmetic in torch. Must not know slots' use, tokens, or how runs are recorded.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from model_container.engine.config import DecoderConfig
from model_container.engine.decoder import CrossWeights, DecoderWeights, FloatArray, NormWeights


@dataclass(frozen=True, eq=False)
class Norm:
    scale: Tensor  # [hidden]
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return functional.layer_norm(x, self.scale.shape, self.scale, self.bias, 1e-5)


@dataclass(frozen=True, eq=False)
class Cross:
    norm: Norm
    query: Tensor  # [hidden, hidden], output first
    text: Tensor  # [2 * hidden, hidden]: key over value
    out: Tensor


@dataclass(frozen=True, eq=False)
class Layer:
    norm: Norm
    qkv: Tensor  # [3 * hidden, hidden]: one matrix is read in one go
    out: Tensor
    cross: Cross | None
    ffn_norm: Norm
    up: Tensor
    down: Tensor


@dataclass(frozen=True, eq=False)
class Cache:
    """keys, values: [layers, rows, heads, positions, head]."""

    keys: Tensor
    values: Tensor

    @staticmethod
    def empty(config: DecoderConfig, rows: int, positions: int, like: Tensor) -> "Cache":
        shape = config.layers, rows, config.heads, positions, config.head
        return Cache(like.new_zeros(shape), like.new_zeros(shape))


@dataclass(frozen=True, eq=False)
class Sight:
    """Whom some rows' queries see: the first positions of the same rows of a cache, less those masked out."""

    rows: slice
    mask: Tensor  # [rows or 1, 1, queries or 1, positions], 0 or -inf

    def attend(self, queries: Tensor, cache: Cache, layer: int) -> Tensor:
        """queries [rows, n, heads, head] → [rows, n, hidden]. Reads the cache where it lies."""
        size = self.mask.shape[-1]
        keys, values = (part[layer, self.rows, :, :size] for part in (cache.keys, cache.values))
        seen = functional.scaled_dot_product_attention(queries.transpose(1, 2), keys, values, self.mask)
        return seen.transpose(1, 2).flatten(2)


@dataclass(frozen=True, eq=False)
class Span:
    """What a run appends to, and sees. Rows come in pairs: conditional, unconditional."""

    rows: Tensor  # [rows, 1], as numbers
    positions: Tensor  # [rows, n]
    past: Sight
    text: Sight | None  # of the conditional rows

    @staticmethod
    def of(rows: slice, positions: Tensor, seen: int, text: Sight | None, dtype: torch.dtype) -> "Span":
        """seen: cached positions to look at, more than the largest of positions [rows, n] that counts."""
        device = positions.device
        numbers = torch.arange(rows.start, rows.stop, device=device)[:, None]
        past = torch.arange(seen, device=device) <= positions[:, None, :, None]
        return Span(numbers, positions, Sight(rows, additive(past, dtype)), text)


@dataclass(frozen=True, eq=False)
class Layers:
    config: DecoderConfig
    layers: tuple[Layer, ...]
    norm: Norm
    heads: Tensor  # [codebooks * vocabulary, hidden]

    @staticmethod
    def load(weights: DecoderWeights, device: torch.device, dtype: torch.dtype) -> "Layers":
        """Layer by layer, so that the host never holds all of them."""
        put = _Put(device, dtype)
        layers = tuple(put.layer(weights, i) for i in range(weights.config.layers))
        return Layers(weights.config, layers, put.norm(weights.norm()), put.matrix(weights.heads()))

    def __call__(self, x: Tensor, span: Span, past: Cache, text: Cache) -> Tensor:
        """x [rows, n, hidden] → the same, normed; its keys and values are in `past` then."""
        for i, layer in enumerate(self.layers):
            query, key, value = self._split(functional.linear(layer.norm(x), layer.qkv), 3)
            past.keys[i, span.rows, :, span.positions] = key
            past.values[i, span.rows, :, span.positions] = value
            x = x + functional.linear(span.past.attend(query, past, i), layer.out)
            if layer.cross is not None and span.text is not None:
                # In place: the other rows' cross-attention is zero, and they need not know of it.
                x[::2] += self._read(layer.cross, x[::2], span.text, text, i)
            inner = functional.gelu(functional.linear(layer.ffn_norm(x), layer.up))
            x = x + functional.linear(inner, layer.down)
        return self.norm(x)

    def guided(self, x: Tensor, guidance: Tensor) -> Tensor:
        """x [2 * songs, hidden], guidance [songs] → logits [songs, codebooks, vocabulary] in fp32."""
        logits = functional.linear(x, self.heads).float()
        logits = logits.view(-1, 2, self.config.codebooks, self.config.vocabulary)
        conditional, unconditional = logits[:, 0], logits[:, 1]
        return unconditional + (conditional - unconditional) * guidance[:, None, None]

    def text(self, layer: int, states: Tensor) -> tuple[Tensor, Tensor]:
        """A text's keys and values for one layer: states [T, hidden] → two of [heads, T, head]."""
        cross = self.layers[layer].cross
        if cross is None:
            raise ValueError("this model has no cross-attention")
        key, value = self._split(functional.linear(states[None], cross.text), 2)
        return key[0].transpose(0, 1), value[0].transpose(0, 1)

    def _read(self, cross: Cross, x: Tensor, sight: Sight, text: Cache, layer: int) -> Tensor:
        (query,) = self._split(functional.linear(cross.norm(x), cross.query), 1)
        return functional.linear(sight.attend(query, text, layer), cross.out)

    def _split(self, x: Tensor, parts: int) -> tuple[Tensor, ...]:
        """[rows, n, parts * hidden] → so many of [rows, n, heads, head]."""
        split = x.unflatten(-1, (parts, self.config.heads, self.config.head))
        return tuple(split.unbind(2))


def additive(seen: Tensor, dtype: torch.dtype) -> Tensor:
    """What to add to scores: 0 where seen, else -inf. Made once a step, and not once a layer."""
    return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill(~seen, float("-inf"))


@dataclass(frozen=True)
class _Put:
    device: torch.device
    dtype: torch.dtype

    def layer(self, weights: DecoderWeights, index: int) -> Layer:
        layer = weights.layer(index)
        return Layer(
            self.norm(layer.self_norm),
            self.matrix(layer.query, layer.key, layer.value),
            self.matrix(layer.out),
            self._cross(layer.cross) if layer.cross else None,
            self.norm(layer.ffn_norm),
            self.matrix(layer.up),
            self.matrix(layer.down),
        )

    def matrix(self, *parts: FloatArray) -> Tensor:
        return torch.cat([torch.tensor(part).to(self.device, self.dtype) for part in parts])

    def norm(self, norm: NormWeights) -> Norm:
        return Norm(self.matrix(norm.scale), self.matrix(norm.bias))

    def _cross(self, cross: CrossWeights) -> Cross:
        text = self.matrix(cross.key, cross.value)
        return Cross(self.norm(cross.norm), self.matrix(cross.query), text, self.matrix(cross.out))
