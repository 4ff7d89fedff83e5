"""What a training leaves on disk: the best model for its readers, and all that going on exactly needs.

Both are the published container, tensors and primitives only; `last.pt` holds more. A file appears whole or
not at all. Must not know how the state came about.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from model_container.training.recipe import TrainingError

LAST, BEST, EVALUATION = "last.pt", "best_model.pt", "evaluation.json"
FOR_READERS = (
    "epoch",
    "model_state_dict",
    "train_loss",
    "val_loss",
    "best_val_loss",
    "args",
    "discriminator_state_dict",
)


def save(content: Mapping[str, Any], path: Path) -> None:
    """Replace a file at once. A crash leaves the old one."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as stream:
        torch.save(dict(content), stream)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)


def read(path: Path) -> dict[str, Any]:
    """Raises TrainingError when the file cannot be read."""
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, ValueError, RuntimeError, EOFError, KeyError, UnpicklingError) as error:
        raise TrainingError(f"{path} cannot be read: {error}") from error
    return content


def prepare(folder: Path, *, resume: bool) -> bool:
    """Make the folder that a training writes to; True if it goes on from there. Raises TrainingError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise TrainingError(f"{folder} cannot be written to: {error.strerror}") from error
    if not (folder / LAST).exists():
        return False
    if not resume:
        raise TrainingError(f"{folder} holds a training already: go on with --resume, or name another folder")
    return True


def agree(stored: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    """Raises TrainingError naming each value that a resumed training would change."""
    names = sorted(stored.keys() | ours.keys())
    wrong = [name for name in names if stored.get(name) != ours.get(name)]
    if wrong:
        told = "; ".join(f"{name} was {stored.get(name)} and is {ours.get(name)}" for name in wrong)
        raise TrainingError(f"this is not the training that was begun there: {told}")
