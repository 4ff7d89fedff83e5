"""Weights of the published shapes by the published rule, so that outputs can be compared number by number."""

import json
from collections.abc import Iterator
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model_container.cascade import Agent, Architecture, build

DATA = Path(__file__).with_name("data")
SHAPES: dict[str, dict[str, list[int]]] = json.loads((DATA / "statedict.json").read_text())
GOLDEN: dict[str, dict[str, Any]] = json.loads((DATA / "golden.json").read_text())


@cache
def drawn(name: str, seed: int = 1234) -> dict[str, Tensor]:
    """The state dict of a configuration; the same for everyone. Copy it before changing it."""
    random = np.random.RandomState(seed)
    return dict(_fixed(SHAPES[name])) | dict(_drawn(SHAPES[name], random))


def plain(name: str) -> dict[str, Tensor]:
    """A state dict of a configuration in which nothing is meant but names and shapes."""
    return {
        key: torch.zeros(shape, dtype=torch.int64) if "num_batches" in key else torch.full(shape, 0.01)
        for key, shape in SHAPES[name].items()
    }


@cache
def tiny(cascade: bool, agent: Agent | None) -> dict[str, Tensor]:
    """Random weights of a narrow model of one layer a stage: quick to load by the hundred."""
    architecture = Architecture(cascade=cascade, layers=1, dim=16, agent=agent)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        weights: dict[str, Tensor] = build(architecture).state_dict()
    return weights


def tracks() -> tuple[Tensor, Tensor]:
    random = np.random.RandomState(99)
    first, second = (level * random.standard_normal((2, 128, 40)) for level in (5, 4))
    return torch.tensor(first, dtype=torch.float32), torch.tensor(second, dtype=torch.float32)


def _fixed(shapes: dict[str, list[int]]) -> Iterator[tuple[str, Tensor]]:
    for name, shape in shapes.items():
        if name.endswith(".pe"):
            yield name, torch.tensor(positions(shape[2]), dtype=torch.float32)
        elif name.endswith("num_batches_tracked"):
            yield name, torch.tensor(0)


def positions(width: int) -> NDArray[np.float64]:
    """[1, 2000, width]: the sinusoids, in double precision."""
    angles = np.arange(2000)[:, None] * np.exp(-np.arange(0, width, 2) * np.log(10000) / width)
    table: NDArray[np.float64] = np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(1, 2000, width)
    return table


def _drawn(shapes: dict[str, list[int]], random: np.random.RandomState) -> Iterator[tuple[str, Tensor]]:
    for name in sorted(shapes):
        if name.endswith((".pe", "num_batches_tracked", "weight_u", "weight_v")):
            continue
        value = _value(name, random.standard_normal(shapes[name]))
        yield name, torch.tensor(value, dtype=torch.float32)
        if name.endswith("weight_orig"):
            left, _, right = np.linalg.svd(np.float64(np.float32(value)))
            yield name.replace("_orig", "_u"), torch.tensor(left[:, 0], dtype=torch.float32)
            yield name.replace("_orig", "_v"), torch.tensor(right[0], dtype=torch.float32)


def _value(name: str, x: NDArray[np.float64]) -> NDArray[np.float64]:
    module, _, kind = name.rpartition(".")
    if kind == "running_var":
        return 1 + 0.1 * np.abs(x)
    if kind == "running_mean":
        return 0.1 * x
    if kind == "weight" and "norm" in module.rpartition(".")[2]:
        return 1 + 0.1 * x
    return 0.05 * x if x.ndim == 1 else x / np.sqrt(prod(x.shape[1:]))
