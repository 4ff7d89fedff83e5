"""The parts that every variant of the model is made of, under the names that the checkpoints use.

Attention runs through `scaled_dot_product_attention`, so that torch picks the kernel and exports stay plain.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from model_container.cascade.architecture import Architecture

LONGEST = 2000
"""Frames that the positions reach: 26.67 s at EnCodec's 75 frames a second."""

WARM_UP = 20  # power iterations; a fresh pair of vectors would scale the weight up a hundredfold


def rms(x: Tensor) -> Tensor:
    """[B, C, T] → [B, 1, 1]: the level of each sample."""
    return (x.square().mean(dim=(1, 2), keepdim=True) + 1e-8).sqrt()


class Attention(nn.Module):
    """torch's multi-head attention, under its tensors' names; the softmax's dropout is for training alone."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, query: Tensor, source: Tensor) -> Tensor:
        """[B, T, width] asks [B, S, width]; returns [B, T, width]."""
        if query is source:
            q, k, v = functional.linear(query, self.in_proj_weight, self.in_proj_bias).chunk(3, dim=-1)
        else:
            weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
            inputs = (query, source, source)
            q, k, v = (functional.linear(*each) for each in zip(inputs, weights, biases, strict=True))
        mixed = functional.scaled_dot_product_attention(
            *(self._split(each) for each in (q, k, v)), dropout_p=self.dropout if self.training else 0.0
        )
        result: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(2))
        return result

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class EncoderLayer(nn.Module):
    """A transformer's encoder layer, normalised after each half (Vaswani et al. 2017, arXiv:1706.03762)."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = Attention(width, heads, dropout)
        self.linear1 = nn.Linear(width, 4 * width)
        self.linear2 = nn.Linear(4 * width, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm1(x + self.dropout(self.self_attn(x, x)))
        inner = self.dropout(functional.gelu(self.linear1(x)))
        result: Tensor = self.norm2(x + self.dropout(self.linear2(inner)))
        return result


class Encoder(nn.Module):
    """Layers in a row over [B, T, width]; every frame sees every other."""

    def __init__(self, width: int, heads: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(width, heads, dropout) for _ in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class Positions(nn.Module):
    """Adds sines and cosines, channel by channel, of each frame's place; they lie in the checkpoint."""

    pe: Tensor

    def __init__(self, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        place = torch.arange(LONGEST, dtype=torch.float32).unsqueeze(1)
        angle = place * torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
        table = torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)
        self.register_buffer("pe", table.unsqueeze(0))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.dropout(x + self.pe[:, : x.shape[1]])
        return result


class SpectralLinear(nn.Module):
    """A linear map divided by its largest singular value σ = uᵀWv (Miyato et al. 2018, arXiv:1802.05957).

    Training improves u and v by one power iteration a pass; evaluation takes them as they are stored, and
    `fold` divides once and for all. A change to training, or of the weights, unfolds.
    """

    weight_u: Tensor
    weight_v: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        plain = nn.Linear(inputs, outputs)
        self.weight_orig, self.bias = nn.Parameter(plain.weight.detach()), nn.Parameter(plain.bias.detach())
        self.register_buffer("weight_u", functional.normalize(torch.randn(outputs), dim=0))
        self.register_buffer("weight_v", functional.normalize(torch.randn(inputs), dim=0))
        self.register_buffer("folded", None, persistent=False)
        self.iterate(WARM_UP)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.iterate()
        weight = self._normalised() if self.folded is None else self.folded
        return functional.linear(x, weight, self.bias)

    def iterate(self, times: int = 1) -> None:
        """Bring u and v nearer to the weight's leading singular vectors, in place."""
        with torch.no_grad():
            for _ in range(times):
                self.weight_v.copy_(
                    functional.normalize(self.weight_orig.t() @ self.weight_u, dim=0, eps=1e-12)
                )
                self.weight_u.copy_(functional.normalize(self.weight_orig @ self.weight_v, dim=0, eps=1e-12))

    def fold(self) -> None:
        """Divide now, by the stored u and v; a map that is zero everywhere stays so."""
        with torch.no_grad():
            self.folded = self._normalised() if self.weight_orig.any() else self.weight_orig.clone()

    def train(self, mode: bool = True) -> "SpectralLinear":
        if mode:
            self.folded = None
        super().train(mode)
        return self

    def _normalised(self) -> Tensor:
        # Copies, since the next pass changes them in place and this one's gradient still needs them.
        u, v = self.weight_u.clone(), self.weight_v.clone()
        return self.weight_orig / torch.dot(u, self.weight_orig @ v)

    def _load_from_state_dict(self, *args: Any) -> None:
        self.folded = None
        super()._load_from_state_dict(*args)


class Stage(nn.Module):
    """Normalise, transform, normalise, project: the learnt part of every stage."""

    def __init__(self, width: int, architecture: Architecture) -> None:
        super().__init__()
        dropout = architecture.dropout
        self.pos_encoding = Positions(width, dropout) if architecture.cascade else nn.Identity()
        self.input_norm = nn.LayerNorm(width)
        self.transformer = Encoder(width, architecture.heads, architecture.layers, dropout)
        self.post_norm = nn.LayerNorm(width)
        self.output_proj = SpectralLinear(width, architecture.dim)

    def refine(self, x: Tensor) -> Tensor:
        """[B, width, T] → [B, dim, T]."""
        frames = self.input_norm(self.pos_encoding(x.transpose(1, 2)))
        projected: Tensor = self.output_proj(self.post_norm(self.transformer(frames)))
        return projected.transpose(1, 2)
