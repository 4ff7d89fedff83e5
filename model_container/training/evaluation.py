"""The trained model beside the plainest answer there is: both tracks, averaged, at their own level.

The model is built upon that mean, so a low loss alone says little. What counts is where it differs.
"""

from typing import Any

import torch
from torch import Tensor

from model_container.cascade import TwoTrack
from model_container.training import losses
from model_container.training.codec import Codec
from model_container.training.means import Mean, Means
from model_container.training.objective import Sounds, reconstruction
from model_container.training.pairs import Pair
from model_container.training.processes import Processes
from model_container.training.recipe import Recipe

Sides = dict[str, Means]


def plain_mix(first: Tensor, second: Tensor) -> Tensor:
    """[B, N] twice → their mean, each sample at the level that the two have together."""
    mean = (first + second) / 2
    wanted = ((first.square() + second.square()) / 2).mean(dim=1, keepdim=True).sqrt()
    return mean * (wanted / (mean.square().mean(dim=1, keepdim=True).sqrt() + 1e-8))


def evaluate(
    model: TwoTrack, codec: Codec, pairs: tuple[Pair, ...], recipe: Recipe, device: torch.device
) -> Sides:
    """For model and mix: the weighted errors, and their terms; and how far the model is from the mix."""
    means = {"model": Mean(), "mix": Mean(), "difference": Mean()}
    with torch.no_grad():
        for pair in pairs:
            first, second = (each.unsqueeze(0).to(device) for each in (pair.first(), pair.second()))
            blend = codec.decode(model(codec.encode(first), codec.encode(second)), first.shape[1])
            mix = plain_mix(first, second)
            means["model"].add(_measured(blend, first, second, recipe), 1)
            means["mix"].add(_measured(mix, first, second, recipe), 1)
            means["difference"].add(_difference(blend, mix), 1)
    return {side: mean.over(Processes()) for side, mean in means.items()}


def summary(sides: Sides) -> str:
    """A table for a person."""
    names = sides["model"]
    rows = [f"{name:10} {sides['model'][name]:10.4f} {sides['mix'][name]:10.4f}" for name in names]
    share, likeness = sides["difference"]["share"], sides["difference"]["likeness"]
    verdict = "better" if sides["model"]["loss"] < sides["mix"]["loss"] else "no better"
    head = f"{'validation':10} {'model':>10} {'plain mix':>10}"
    told = f"By this loss the model is {verdict} than the plain mix. "
    apart = f"It differs from it by {100 * share:.0f} % of its level (correlation {likeness:.2f})."
    return "\n".join([head, *rows, told + apart])


def _measured(sound: Tensor, first: Tensor, second: Tensor, recipe: Recipe) -> dict[str, Tensor]:
    terms = reconstruction(Sounds(sound, first, second), recipe)
    weighted: list[Any] = [getattr(recipe, f"weight_{name}") * term for name, term in terms.items()]
    return {"loss": torch.stack(weighted).sum(), **terms}


def _difference(blend: Tensor, mix: Tensor) -> dict[str, Tensor]:
    return {
        "share": losses.rms_error(blend, mix) / (mix.square().mean().sqrt() + 1e-8),
        "likeness": torch.nan_to_num(torch.corrcoef(torch.cat([blend, mix]))[0, 1], nan=0.0),
    }
