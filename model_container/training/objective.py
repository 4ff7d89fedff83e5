"""One step's question: two sounds in, the weighted losses of their blend out.

A module, so that parallel training can wrap it. Must not know optimizers or epochs.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from model_container.cascade import TwoTrack
from model_container.training import losses
from model_container.training.codec import Codec
from model_container.training.recipe import Recipe


class Outcome(NamedTuple):
    """`loss` [] is minimised, `terms` are its unweighted parts; latents [B, dim, T] are for the critic."""

    loss: Tensor
    terms: dict[str, Tensor]
    latents: Tensor
    real: Tensor


@dataclass(frozen=True)
class Sounds:
    """Of a batch: the blend, and what it is measured against. Each [B, N]."""

    blend: Tensor
    first: Tensor
    second: Tensor


class Objective(nn.Module):
    def __init__(self, model: TwoTrack, codec: Codec, recipe: Recipe) -> None:
        super().__init__()
        self.model, self.recipe = model, recipe
        self._codec = (codec,)  # in a tuple, since what is frozen is neither exchanged nor saved

    def forward(self, first: Tensor, second: Tensor) -> Outcome:
        """Sound [B, N] twice. In evaluation mode the loss leaves out what only guides the training."""
        codec, length = self._codec[0], first.shape[1]
        with torch.no_grad():
            latents = codec.encode(first), codec.encode(second)
            heard = codec.decode(latents[0], length)  # as the codec gives it, so that it is not to blame
        blend = self.model.blend(*latents)
        terms = self._sound_terms(Sounds(codec.decode(blend.latents, length), heard, second))
        if blend.regularization is not None:
            terms["reg"] = blend.regularization
        if self.training and blend.balance is not None:
            terms["balance"] = blend.balance
        return Outcome(self.weighed(terms), terms, blend.latents, latents[1])

    def weighed(self, terms: dict[str, Tensor]) -> Tensor:
        weights = (getattr(self.recipe, f"weight_{name}") * term for name, term in terms.items())
        return torch.stack(list(weights)).sum()

    def _sound_terms(self, sounds: Sounds) -> dict[str, Tensor]:
        terms = reconstruction(sounds, self.recipe)
        if self.training and self.recipe.weight_outlier:
            terms["outlier"] = losses.outliers(sounds.blend)
        return terms


def reconstruction(sounds: Sounds, recipe: Recipe) -> dict[str, Tensor]:
    """What any sound can be measured by. Of what weighs nothing, only the plain errors are computed."""
    blend, references = sounds.blend, (sounds.first, sounds.second)
    terms = {
        "input": losses.rms_error(blend, sounds.first),
        "target": losses.rms_error(blend, sounds.second),
    }
    for name, error in (("spectral", losses.spectral_error), ("mel", losses.mel_error)):
        if getattr(recipe, f"weight_{name}"):
            terms[name] = torch.stack([error(blend, each) for each in references]).mean()
    if recipe.weight_corr:
        terms["corr"] = losses.envelope_likeness(blend, *references)
    return terms


def deceived(logits: Tensor) -> Tensor:
    """[]: the model's side of the game (Goodfellow et al. 2014, arXiv:1406.2661)."""
    return functional.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))


def undeceived(logits: Tensor) -> Tensor:
    """[]: the critic's side: the first half of the logits are of music, the second of blends."""
    real, blended = logits.chunk(2)
    return deceived(real) + functional.binary_cross_entropy_with_logits(blended, torch.zeros_like(blended))
