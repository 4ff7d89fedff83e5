"""The epochs: learn, validate, lower the rate, keep the best, end in time, and go on exactly where it ended.

Every process takes each decision alone from the same reduced numbers, so that none waits for another's.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau

from model_container.training import state
from model_container.training.means import Mean, Means
from model_container.training.pairs import Corpus, Pair, batches, partners
from model_container.training.player import Player
from model_container.training.processes import Processes
from model_container.training.recipe import TrainingError

Batch = tuple[list[Pair], list[Pair]]  # whose first segments, and whose second ones


class Reporter(Protocol):
    """What wants to know how it goes; asked in the leading process alone."""

    def steps(self, batches: Sequence[Batch], title: str) -> Iterable[Batch]: ...
    def epoch(self, epoch: int, training: Means, validation: Means, rate: float) -> None: ...


@dataclass
class Progress:
    """What going on needs beside weights."""

    epoch: int = -1  # the last that was finished, from zero
    first_val_loss: float = math.inf  # before any training
    best_val_loss: float = math.inf
    patience_counter: int = 0


class Loop:
    def __init__(
        self, player: Player, corpus: Corpus, processes: Processes, folder: Path, reporter: Reporter | None
    ) -> None:
        self.player, self.corpus, self.processes = player, corpus, processes
        self.folder, self.reporter, self.recipe = folder, reporter, player.recipe
        self.progress = Progress()
        self.scheduler = ReduceLROnPlateau(player.optimizer, factor=0.5, patience=self.recipe.lr_patience)

    def run(self) -> Progress:
        """Train until the last epoch, or until validation has not improved for too long.

        Raises TrainingError when losses or gradients are no longer finite; the last good epoch stays.
        """
        if self.progress.epoch < 0:
            self.progress.first_val_loss = self._judged()["loss"]
        while self.progress.epoch + 1 < self.recipe.epochs and not self._hopeless():
            self._epoch()
        return self.progress

    def validate(self) -> Means:
        """Over all pairs that are kept for it, the same for any number of processes."""
        self.player.objective.eval()
        size, pairs = self.recipe.batch, self.corpus.validation
        every = [list(pairs[start : start + size]) for start in range(0, len(pairs), size)]
        mean = Mean()
        # The bare module: its wrapper would wait for processes that have fewer batches.
        objective = getattr(self.player.objective, "module", self.player.objective)
        with torch.no_grad():
            for some in every[self.processes.rank :: self.processes.world]:
                outcome = objective(*self._sounds((some, some)))
                mean.add({"loss": outcome.loss, **outcome.terms}, len(some))
        return mean.over(self.processes)

    def restore(self) -> None:
        """Go on from the folder's last state. Raises TrainingError if that was another training."""
        stored = state.read(self.folder / state.LAST)
        state.agree(stored["decisive"], self._decisive())
        self.player.restore(stored)
        self.scheduler.load_state_dict(stored["scheduler_state_dict"])
        self.progress = Progress(**stored["progress"])
        _set_random_state(stored["random_states"][self.processes.rank])

    def _judged(self) -> Means:
        validation = self.validate()
        if not math.isfinite(validation["loss"]):  # the same in every process, so that all of them stop
            loss = validation["loss"]
            raise TrainingError(f"the validation loss is {loss}: lower --lr, or look for broken songs")
        return validation

    def _hopeless(self) -> bool:
        return 0 < self.recipe.patience <= self.progress.patience_counter

    def _epoch(self) -> None:
        epoch = self.progress.epoch + 1
        training, validation = self._learn(epoch), self._judged()
        self.scheduler.step(validation["loss"])
        better = validation["loss"] < self.progress.best_val_loss
        self.progress.epoch = epoch
        self.progress.patience_counter = 0 if better else self.progress.patience_counter + 1
        self.progress.best_val_loss = min(validation["loss"], self.progress.best_val_loss)
        self._save(training["loss"], validation["loss"], better=better)
        if self.reporter is not None:
            rate = self.player.optimizer.param_groups[0]["lr"]
            self.reporter.epoch(epoch, training, validation, rate)

    def _learn(self, epoch: int) -> Means:
        self.player.objective.train()
        mean, some = Mean(), self._batches(epoch)
        for batch in some if self.reporter is None else self.reporter.steps(some, f"epoch {epoch + 1}"):
            mean.add(self.player.step(*self._sounds(batch)), len(batch[0]))
        return mean.over(self.processes)

    def _batches(self, epoch: int) -> list[Batch]:
        """This process's share of an epoch, a function of the seed and the epoch alone."""
        pairs, seed = self.corpus.training, self.recipe.seed
        others = partners(len(pairs), seed=seed, epoch=epoch)
        second = [pairs[i] for i in others] if self.recipe.shuffle_targets else list(pairs)
        chosen = batches(
            len(pairs),
            self.recipe.batch,
            seed=seed,
            epoch=epoch,
            rank=self.processes.rank,
            world=self.processes.world,
        )
        return [([pairs[i] for i in some], [second[i] for i in some]) for some in chosen]

    def _sounds(self, batch: Batch) -> tuple[Tensor, Tensor]:
        first = torch.stack([pair.first() for pair in batch[0]])
        second = torch.stack([pair.second() for pair in batch[1]])
        return first.to(self.processes.device), second.to(self.processes.device)

    def _decisive(self) -> dict[str, Any]:
        corpus, world = self.corpus.fingerprint(), self.processes.world
        return {**self.recipe.decisive(), "songs": corpus, "processes": world}

    def _save(self, train_loss: float, val_loss: float, *, better: bool) -> None:
        random_states = self.processes.gathered(_random_state())
        if not self.processes.leads:
            return
        content = {
            **self.player.state(),
            **asdict(self.progress),
            "train_loss": train_loss,
            "val_loss": val_loss,
            "args": self.recipe.published(self.player.model.architecture.dim),
            "decisive": self._decisive(),
            "progress": asdict(self.progress),
            "scheduler_state_dict": self.scheduler.state_dict(),
            "random_states": random_states,
        }
        readers = {name: content[name] for name in state.FOR_READERS if name in content}
        # Before what says that this epoch is over: broken off in between, going on makes the epoch again.
        if better:
            state.save(readers, self.folder / state.BEST)
        every = self.recipe.save_every
        if every and (self.progress.epoch + 1) % every == 0:
            state.save(readers, self.folder / f"checkpoint_epoch_{self.progress.epoch + 1}.pt")
        state.save(content, self.folder / state.LAST)


def _random_state() -> dict[str, Tensor]:
    cuda = {"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {}
    return {"cpu": torch.get_rng_state(), **cuda}


def _set_random_state(stored: dict[str, Tensor]) -> None:
    torch.set_rng_state(stored["cpu"])
    if torch.cuda.is_available() and "cuda" in stored:
        torch.cuda.set_rng_state(stored["cuda"])
