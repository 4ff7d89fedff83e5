"""MusicGen's layers as functions over tensors: embeddings, weights and a cache in, hidden states out.

Knows the layers' arithmetic in torch. Must not know slots' use, tokens, or how runs are recorded.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from model_container.engine.config import DecoderConfig
from model_container.engine.decoder import CrossWeights, DecoderWeights, FloatArray, NormWeights

# All but cuDNN's, which torch may prefer on a Hopper: it makes a plan for each thread and shape, which takes
# long, and steps are warmed up on one thread and recorded late on another. What is left for a GPU and a mask
# is the memory-efficient one. Which is faster has not been measured.
ATTENTION = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


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
    """both: [layers, keys and values, rows, heads, positions, head]."""

    both: Tensor

    @staticmethod
    def empty(config: DecoderConfig, rows: int, positions: int, like: Tensor) -> "Cache":
        shape = config.layers, 2, rows, config.heads, positions, config.head
        return Cache(like.new_zeros(shape))

    @property
    def positions(self) -> int:
        return int(self.both.shape[4])


@dataclass(frozen=True, eq=False)
class Sight:
    """Whom some rows' queries see: the first positions of the same rows of a cache, less those masked out."""

    rows: slice
    mask: Tensor  # [rows or 1, 1, queries or 1, positions], 0 or -inf

    def attend(self, queries: Tensor, cache: Cache, layer: int) -> Tensor:
        """queries [rows, n, heads, head] → [rows * n, hidden]. Reads the cache where it lies."""
        keys, values = cache.both[layer, :, self.rows, :, : self.mask.shape[-1]]
        seen = functional.scaled_dot_product_attention(queries.transpose(1, 2), keys, values, self.mask)
        return seen.transpose(1, 2).flatten(2).flatten(0, 1)


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
        """x [rows, n, hidden] → the same, normed, and x is lost; its keys and values are in `past` then.

        Every sum is in place, within the matrix product that makes what is added: a kernel less for each.
        """
        with sdpa_kernel(ATTENTION):
            return self._through(x, span, past, text)

    def _through(self, x: Tensor, span: Span, past: Cache, text: Cache) -> Tensor:
        rows, n, hidden = x.shape
        flat = x.view(-1, hidden)
        # The other rows' cross-attention is zero. This is a view, as either n or the number of songs is 1.
        conditional = flat.view(-1, 2, n, hidden)[:, 0].view(-1, hidden)
        for i, layer in enumerate(self.layers):
            parts = self._heads(functional.linear(layer.norm(flat), layer.qkv), n)
            query, fresh = parts.tensor_split([self.config.heads], dim=2)
            past.both[i, :, span.rows, :, span.positions] = fresh.unflatten(2, (2, -1))
            flat.addmm_(span.past.attend(query, past, i), layer.out.t())
            if layer.cross is not None and span.text is not None:
                asked = self._heads(functional.linear(layer.cross.norm(conditional), layer.cross.query), n)
                conditional.addmm_(span.text.attend(asked, text, i), layer.cross.out.t())
            inner = functional.gelu(functional.linear(layer.ffn_norm(flat), layer.up))
            flat.addmm_(inner, layer.down.t())
        return self.norm(flat).view(rows, n, hidden)

    def guided(self, x: Tensor, guidance: Tensor) -> Tensor:
        """x [2 * songs, hidden], guidance [songs] → logits [songs, codebooks, vocabulary] in fp32."""
        logits = functional.linear(x, self.heads).float()
        logits = logits.view(-1, 2, self.config.codebooks, self.config.vocabulary)
        conditional, unconditional = logits[:, 0], logits[:, 1]
        return unconditional + (conditional - unconditional) * guidance[:, None, None]

    def text(self, layer: int, states: Tensor) -> Tensor:
        """A text's keys and values for one layer: states [T, hidden] → [2, heads, T, head]."""
        cross = self.layers[layer].cross
        if cross is None:
            raise ValueError("this model has no cross-attention")
        return (
            self._heads(functional.linear(states, cross.text), len(states))[0]
            .unflatten(1, (2, -1))
            .permute(1, 2, 0, 3)
        )

    def _heads(self, x: Tensor, n: int) -> Tensor:
        """[rows * n, parts * hidden] → [rows, n, parts * heads, head]."""
        return x.view(len(x) // n, n, -1, self.config.head)


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
