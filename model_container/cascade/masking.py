"""The masking agent: each track is told, frame by frame and channel by channel, where to make room.

Both masks come from one attention of each track over the other. They are soft and independent: nothing
forces them to sum to one but the losses.
"""

from itertools import pairwise
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from model_container.cascade.blocks import Attention, rms

HIDDEN = 256
HEADS = 4
DROPOUT = 0.1


class Masks(NamedTuple):
    """Two [B, dim, T] between 0 and 1."""

    track1: Tensor
    track2: Tensor

    def overlap(self) -> Tensor:
        """[]: the mean product; constant halves have a quarter."""
        return (self.track1 * self.track2).mean()

    def separation_loss(self) -> Tensor:
        """[]: overlap, distance from summing to one, and masks that do not change over time."""
        complement = (self.track1 + self.track2 - 1).square().mean()
        still = sum(functional.relu(0.05 - mask.var(dim=2).mean()) for mask in self)
        return 10 * self.overlap() + 0.5 * complement + 5 * still

    def balance_loss(self) -> Tensor:
        """[]: how far either mask's mean is from a half."""
        return (self.track1.mean() - 0.5).square() + (self.track2.mean() - 0.5).square()


class MaskGenerator(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.input_analyzer, self.target_analyzer = _analyzer(dim), _analyzer(dim)
        self.cross_attention = Attention(HIDDEN, HEADS, DROPOUT)
        self.input_mask_generator, self.target_mask_generator = _masker(dim), _masker(dim)

    def forward(self, track1: Tensor, track2: Tensor) -> Masks:
        seen1 = self.input_analyzer(track1).transpose(1, 2)
        seen2 = self.target_analyzer(track2).transpose(1, 2)
        asked1 = self.cross_attention(seen1, seen2).transpose(1, 2)
        asked2 = self.cross_attention(seen2, seen1).transpose(1, 2)
        return Masks(self.input_mask_generator(asked1), self.target_mask_generator(asked2))


class StyleDiscriminator(nn.Module):
    """Lies in every checkpoint of the masking agent, and no computation reads it: it has no forward pass."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        pairs = pairwise((dim, 64, 128, 256))
        layers = [(nn.Conv1d(a, b, 4, stride=2, padding=1), nn.LeakyReLU(0.2)) for a, b in pairs]
        self.encoder = nn.Sequential(*(part for layer in layers for part in layer))
        self.classifier = nn.Sequential(nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(256, 1))
        self.style_matcher = nn.Linear(512, 1)
        self.requires_grad_(False)  # so that no optimizer and no gradient exchange waits for it


class MaskingAgent(nn.Module):
    """Masks both tracks and brings each back to the level that it had."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.mask_generator = MaskGenerator(dim)
        self.discriminator = StyleDiscriminator(dim)

    def masks(self, track1: Tensor, track2: Tensor) -> Masks:
        """[B, dim, T] twice → the masks of both."""
        masks: Masks = self.mask_generator(track1, track2)
        return masks

    @staticmethod
    def apply_masks(track1: Tensor, track2: Tensor, masks: Masks) -> tuple[Tensor, Tensor]:
        return _masked(track1, masks.track1), _masked(track2, masks.track2)


def _masked(track: Tensor, mask: Tensor) -> Tensor:
    quieter = track * mask
    return quieter * (rms(track) / rms(quieter))


def _analyzer(dim: int) -> nn.Sequential:
    first, second = nn.Conv1d(dim, HIDDEN, 3, padding=1), nn.Conv1d(HIDDEN, HIDDEN, 3, padding=1)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU())


def _masker(dim: int) -> nn.Sequential:
    first, second = nn.Conv1d(HIDDEN, 128, 3, padding=1), nn.Conv1d(128, dim, 1)
    return nn.Sequential(first, nn.ReLU(), second, nn.Sigmoid())
