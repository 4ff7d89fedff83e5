"""The two-track model itself: one stage over the first track, or an agent and two stages over both.

Two ways in: calling the model blends two songs and computes nothing else; `blend` also returns the agents'
losses, which is what training asks for.
"""

from abc import abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from model_container.cascade.architecture import Architecture
from model_container.cascade.blocks import LONGEST, SpectralLinear, Stage, rms
from model_container.cascade.composing import CompositionalAgent
from model_container.cascade.masking import MaskingAgent

QUIETEST, LOUDEST = 0.7, 1.5  # gain; √2 brings the mean of two unlike signals back to their level


class Blend(NamedTuple):
    """Latents [B, dim, T], and the agent's losses [] where it has them."""

    latents: Tensor
    regularization: Tensor | None = None
    balance: Tensor | None = None


class TwoTrack(nn.Module):
    """What every variant can do. `architecture` says which one it is."""

    architecture: Architecture

    def forward(self, track1: Tensor, track2: Tensor) -> Tensor:
        """Continuous EnCodec latents [B, dim, T] of two songs → those of a new one, of the same shape.

        T may be 1 to 2000 frames, 75 a second. Raises ValueError for other shapes, and for unequal ones.
        """
        self._check(track1, track2)
        return self._blend(track1, track2, losses=False).latents

    def blend(self, track1: Tensor, track2: Tensor) -> Blend:
        """The same with the agent's losses; in training mode also with dropout and noise."""
        self._check(track1, track2)
        return self._blend(track1, track2, losses=True)

    def fold(self) -> "TwoTrack":
        """Divide every projection by its spectral norm, once; training, or new weights, undo it."""
        for module in self.modules():
            if isinstance(module, SpectralLinear):
                module.fold()
        return self

    @abstractmethod
    def _blend(self, track1: Tensor, track2: Tensor, *, losses: bool) -> Blend: ...

    def _check(self, track1: Tensor, track2: Tensor) -> None:
        if torch.compiler.is_exporting():  # a graph holds for every length; its caller checks
            return
        dim = self.architecture.dim
        for track in (track1, track2):
            if track.ndim != 3 or track.shape[1] != dim:
                raise ValueError(f"latents must be [B, {dim}, T], not {list(track.shape)}")
        if track1.shape != track2.shape:
            raise ValueError(f"the tracks differ: {list(track1.shape)} and {list(track2.shape)}")
        if not 1 <= track1.shape[2] <= LONGEST:
            raise ValueError(f"{track1.shape[2]} frames; the model takes 1 to {LONGEST}")


class SingleStage(Stage, TwoTrack):
    """Refines the first track and does not listen to the second. Knows no time: frames in any order do."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture.dim, architecture)
        self.architecture = architecture

    def _blend(self, track1: Tensor, track2: Tensor, *, losses: bool) -> Blend:
        return Blend(track1 + self.refine(track1))


class Cascade(TwoTrack):
    """Two stages, each a correction of the tracks' mean, brought back to the tracks' own level."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.creative_agent = _agent(architecture)
        self.cascade_stages = nn.ModuleList(Stage(width, architecture) for width in architecture.widths)

    def _blend(self, track1: Tensor, track2: Tensor, *, losses: bool) -> Blend:
        (a, b), *agent_losses = self._prepare(track1, track2, losses=losses)
        level = ((rms(a).square() + rms(b).square()) / 2).sqrt()
        noisy = self._noisy(a)
        first, second = self.cascade_stages
        out = _levelled(first.refine(torch.cat([noisy, b], dim=1)) + (a + b) / 2, level)
        inputs = torch.cat([noisy, out, self._noisy(b)], dim=1)
        return Blend(_levelled(second.refine(inputs) + (a + out + b) / 3, level), *agent_losses)

    def _prepare(
        self, track1: Tensor, track2: Tensor, *, losses: bool
    ) -> tuple[tuple[Tensor, Tensor], Tensor | None, Tensor | None]:
        """The tracks as the agent leaves them, and its losses if they are asked for."""
        match self.creative_agent:
            case MaskingAgent() as agent:
                masks = agent.masks(track1, track2)
                tracks = agent.apply_masks(track1, track2, masks)
                if losses:
                    return tracks, masks.separation_loss(), masks.balance_loss()
            case CompositionalAgent() as agent:
                composed = agent.compose(track1, track2)
                tracks = (composed.track, track2)
                if losses:
                    return tracks, composed.novelty_loss(track1, track2), None
            case _:
                tracks = (track1, track2)
        return tracks, None, None

    def _noisy(self, track: Tensor) -> Tensor:
        """In training, so much noise that no track can simply be copied."""
        if not self.training or self.architecture.noise == 0:
            return track
        return track + torch.randn_like(track) * (self.architecture.noise * track.std())


def build(architecture: Architecture) -> TwoTrack:
    """A new model with random weights, in training mode."""
    return Cascade(architecture) if architecture.cascade else SingleStage(architecture)


def _agent(architecture: Architecture) -> MaskingAgent | CompositionalAgent | None:
    match architecture.agent:
        case "masking":
            return MaskingAgent(architecture.dim)
        case "compositional":
            return CompositionalAgent(architecture.dim)
    return None


def _levelled(x: Tensor, level: Tensor) -> Tensor:
    return x * (level / (rms(x) + 1e-8)).clamp(QUIETEST, LOUDEST)
