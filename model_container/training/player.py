"""The two players of a training, model and critic: their weights, optimizers, and what one step does to them.

Must not know epochs, files or songs.
"""

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from model_container.cascade import Critic, TwoTrack, build
from model_container.training.codec import Codec
from model_container.training.objective import Objective, Outcome, deceived, undeceived
from model_container.training.processes import Processes
from model_container.training.recipe import Recipe, TrainingError

CRITIC_BETAS, CRITIC_CLIP = (0.5, 0.999), 1.0


@dataclass(frozen=True)
class Judge:
    """The critic, where the recipe has one."""

    critic: Critic
    parallel: nn.Module
    optimizer: AdamW

    def step(self, real: Tensor, blended: Tensor) -> Tensor:
        """Learn to tell music from blends; returns the loss []. Shapes [B, dim, T]."""
        self.optimizer.zero_grad()
        # Another pair's second track: the critic shall know music, not this blend's own source.
        loss = undeceived(self.parallel(torch.cat([real.roll(1, 0), blended.detach()])))
        loss.backward()
        nn.utils.clip_grad_norm_(self.critic.parameters(), CRITIC_CLIP)
        self.optimizer.step()
        return loss.detach()

    def verdict(self, latents: Tensor) -> Tensor:
        """The model's loss []; its gradient reaches the latents and leaves the critic as it is."""
        self.critic.requires_grad_(False)
        loss = deceived(self.critic(latents))
        self.critic.requires_grad_(True)
        return loss


class Player:
    """The model in training."""

    def __init__(self, recipe: Recipe, codec: Codec, processes: Processes) -> None:
        torch.manual_seed(recipe.seed + processes.rank)
        device = processes.device
        self.recipe = recipe
        self.model: TwoTrack = build(recipe.architecture(codec.dim)).to(device)
        self.objective = processes.parallel(Objective(self.model, codec, recipe))
        self.optimizer = _optimizer(self.model, recipe.lr, recipe.weight_decay)
        self.judge: Judge | None = None
        if recipe.weight_gan:
            critic = Critic(codec.dim).to(device)
            optimizer = _optimizer(critic, recipe.critic_lr, recipe.weight_decay, CRITIC_BETAS)
            self.judge = Judge(critic, processes.parallel(critic), optimizer)

    def step(self, first: Tensor, second: Tensor) -> dict[str, Tensor]:
        """Learn from one batch of sound [B, N]; returns the losses. Raises TrainingError if they explode."""
        outcome: Outcome = self.objective(first, second)
        loss, terms = outcome.loss, dict(outcome.terms)
        if self.judge is not None:
            terms["critic"] = self.judge.step(outcome.real, outcome.latents)
            terms["gan"] = self.judge.verdict(outcome.latents)
            loss = loss + self.recipe.weight_gan * terms["gan"]
        self.optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        if not bool(norm.isfinite()):  # the same in every process, so that all of them stop
            raise TrainingError("the gradients are no longer finite: lower --lr, or look for broken songs")
        self.optimizer.step()
        return {name: term.detach() for name, term in {"loss": loss, **terms, "gradient": norm}.items()}

    def state(self) -> dict[str, Any]:
        """Under the names of the published container."""
        state = {
            "model_state_dict": self.model.state_dict(),
            "optimizer_state_dict": self.optimizer.state_dict(),
        }
        if self.judge is not None:
            state["discriminator_state_dict"] = self.judge.critic.state_dict()
            state["disc_optimizer_state_dict"] = self.judge.optimizer.state_dict()
        return state

    def restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model_state_dict"])
        self.optimizer.load_state_dict(state["optimizer_state_dict"])
        if self.judge is not None:
            self.judge.critic.load_state_dict(state["discriminator_state_dict"])
            self.judge.optimizer.load_state_dict(state["disc_optimizer_state_dict"])


def _optimizer(
    module: nn.Module, lr: float, decay: float, betas: tuple[float, float] = (0.9, 0.999)
) -> AdamW:
    learnt = (parameter for parameter in module.parameters() if parameter.requires_grad)
    return cast("AdamW", AdamW(learnt, lr=lr, weight_decay=decay, betas=betas))
