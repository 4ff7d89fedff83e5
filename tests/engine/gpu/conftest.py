"""The GPU engine needs torch. It is held to the others on a GPU where there is one, else on the CPU."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # they are about torch's own future
    torch = pytest.importorskip("torch", reason="model_container/requirements-dev.txt is not installed")

from model_container.engine.checkpoint import Checkpoint
from model_container.engine.config import load_config
from model_container.engine.model import Model, max_positions
from model_container.engine.torch_model import device
from model_container.engine.torch_player import TorchPlayer
from model_container.engine.weights import CheckpointWeights
from tests.engine.conftest import Folders
from tests.engine.parity import conftest as parity

references = parity.references

Players = Callable[..., TorchPlayer]
Models = Callable[..., Model]


@pytest.fixture
def players(checkpoints: Folders) -> Players:
    """players(kind) → a player of the tiny checkpoint."""
    torch.set_num_threads(1)

    def made(kind: str = "text", *, slots: int = 1, **options: Any) -> TorchPlayer:
        config = load_config(checkpoints(kind))
        weights = CheckpointWeights(Checkpoint(checkpoints(kind)), config.decoder)
        table = np.array(weights.embeddings())
        options = {"device": device(), **options}
        return TorchPlayer(weights, table, slots=slots, positions=max_positions(config), **options)

    return made


@pytest.fixture
def on_torch(players: Players, packs: Folders) -> Models:
    """on_torch(kind) → the packed tiny model, with a player for its decoder."""

    def made(kind: str = "text", *, slots: int = 1, **options: Any) -> Model:
        model = Model.load(packs(kind), decoder="onnx")
        model.decoder = players(kind, slots=slots, **options)
        return model

    return made
