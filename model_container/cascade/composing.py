"""The compositional agent: a new first track, composed of both tracks' rhythm, harmony and timbre."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from model_container.cascade.blocks import Encoder, Positions

# What each branch listens for, by the widths of its two convolutions.
BRANCHES = {"rhythm": (3, 5), "harmony": (7, 9), "timbre": (15, 21)}
CHANNELS = 64  # of a branch
COMPONENTS = 2 * len(BRANCHES)
WIDTH, HEADS, LAYERS, DROPOUT = 512, 8, 4, 0.1
LOUDEST = 50.0


class Composed(NamedTuple):
    """The new track [B, dim, T], and how strongly each component was wanted: logits [B, 6, T]."""

    track: Tensor
    logits: Tensor

    def novelty_loss(self, track1: Tensor, track2: Tensor) -> Tensor:
        """[]: likeness to either track, and leaning on the components of one of them."""
        likeness = sum(
            functional.cosine_similarity(self.track, each).mean().abs() for each in (track1, track2)
        )
        wanted = self.logits.mean(dim=(0, 2))
        return 0.5 * likeness + 0.1 * (wanted[:3].sum() - wanted[3:].sum()).abs()


class Extractor(nn.ModuleDict):
    """[B, dim, T] → [B, 192, T]: the three branches of one track."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        for name, (first, second) in BRANCHES.items():
            self[f"{name}_conv1"] = nn.Conv1d(dim, dim, first, padding="same")
            self[f"{name}_conv2"] = nn.Conv1d(dim, CHANNELS, second, padding="same")
            self[f"{name}_norm"] = nn.BatchNorm1d(CHANNELS)
            self[f"{name}_skip"] = nn.Conv1d(dim, CHANNELS, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self._branch(name, x) for name in BRANCHES], dim=1)

    def _branch(self, name: str, x: Tensor) -> Tensor:
        inner = functional.leaky_relu(self[f"{name}_conv1"](x), 0.2)
        inner = functional.leaky_relu(self[f"{name}_conv2"](inner), 0.2)
        result: Tensor = self[f"{name}_norm"](inner + self[f"{name}_skip"](x))
        return result


class Composer(nn.Module):
    """[B, 384, T] → [B, dim, T], bounded and finite."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.component_projection = nn.Linear(COMPONENTS * CHANNELS, WIDTH)
        self.pos_encoder = Positions(WIDTH)
        self.composer = Encoder(WIDTH, HEADS, LAYERS, DROPOUT)
        self.output_projection = nn.Sequential(
            nn.Linear(WIDTH, 256), nn.GELU(), nn.Dropout(DROPOUT), nn.Linear(256, dim)
        )

    def forward(self, components: Tensor) -> Tensor:
        frames = self.pos_encoder(self.component_projection(components.transpose(1, 2)))
        track = self.output_projection(self.composer(frames)).transpose(1, 2)
        return torch.nan_to_num(track.clamp(-LOUDEST, LOUDEST), nan=0.0)


class CompositionalAgent(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.input_extractor, self.target_extractor = Extractor(dim), Extractor(dim)
        self.component_selector = nn.Sequential(
            nn.Conv1d(COMPONENTS * CHANNELS, 256, 1), nn.LeakyReLU(0.2), nn.Conv1d(256, COMPONENTS, 1)
        )
        self.composer = Composer(dim)

    def compose(self, track1: Tensor, track2: Tensor) -> Composed:
        """[B, dim, T] twice → the track that stands in for the first."""
        components = torch.cat([self.input_extractor(track1), self.target_extractor(track2)], dim=1)
        logits = self.component_selector(components)
        chosen = logits.softmax(dim=1).repeat_interleave(CHANNELS, dim=1)
        return Composed(self.composer(components * chosen), logits)
