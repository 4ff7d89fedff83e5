"""Tiny two-track models, and the reference that their parts are held against."""

import pytest

pytest.importorskip("torch", reason="model_container/requirements-dev.txt is not installed")

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from model_container.cascade import Agent
from model_container.pack import pack
from model_container.tracks.model import TrackModel
from tests.engine import tiny_tracks
from tests.engine.serving import Service
from tests.engine.tracks.serving import Held, serving_tracks

Folders = Callable[..., Path]
VARIANTS: dict[str, tuple[Agent | None, bool]] = {
    "single": (None, False),
    "plain": (None, True),
    "masking": ("masking", True),
    "compositional": ("compositional", True),
}


@pytest.fixture(scope="session")
def track_checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """track_checkpoints(variant) → a folder with cascade.pt and encodec/, written once."""
    torch.set_num_threads(1)

    @cache
    def folder(variant: str = "masking") -> Path:
        agent, cascade = VARIANTS[variant]
        return tiny_tracks.write(tmp_path_factory.mktemp("tracks") / variant, agent, cascade=cascade)

    return folder


@pytest.fixture(scope="session")
def track_packs(track_checkpoints: Folders, tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """The same, packed once."""

    @cache
    def folder(variant: str = "masking") -> Path:
        target = tmp_path_factory.mktemp("track-packs") / variant
        pack(track_checkpoints(variant), target)
        return target

    return folder


@pytest.fixture(scope="session")
def published(track_checkpoints: Folders) -> Any:
    """transformers' EnCodec of the tiny checkpoint, every tensor in its place but the quantiser's."""
    transformers = pytest.importorskip("transformers")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    folder = track_checkpoints() / "encodec"
    model, report = transformers.EncodecModel.from_pretrained(folder, output_loading_info=True)
    assert not [name for name in report["missing_keys"] if "quantizer" not in name]
    assert not report["unexpected_keys"]
    return model.eval()


def noise(samples: int, seed: int = 0, batch: int = 2) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal((batch, samples)) / 5).astype(np.float32)


@pytest.fixture(scope="module")
def model(track_packs: Folders) -> TrackModel:
    return TrackModel.load(track_packs())


@pytest.fixture
def service(model: TrackModel) -> Iterator[Service]:
    with serving_tracks(model) as running:
        yield running


@pytest.fixture
def held(model: TrackModel) -> Iterator[Held]:
    network = Held(model.network)
    yield network
    network.let_go()


@pytest.fixture
def slow(model: TrackModel, held: Held) -> Iterator[Service]:
    """One that makes clips only when it is let go, with room for one more."""
    with serving_tracks(TrackModel(model.codec, held, "cpu")) as running:
        yield running
        held.let_go()
