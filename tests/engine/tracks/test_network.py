"""The packed two-track model against the torch model of the same weights, in every variant."""

from pathlib import Path

import numpy as np
import pytest
import torch

from model_container.cascade import load
from model_container.graphs.cascade import build_cascade
from model_container.tracks.model import CASCADE, OnnxNetwork, TrackModel
from model_container.tracks.packing import arrays
from tests.engine.cascade import weights
from tests.engine.tracks.conftest import VARIANTS, Folders


def tracks(frames: int, dim: int = 16) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    first, second = (random.standard_normal((1, dim, frames)).astype(np.float32) for _ in range(2))
    return 5 * first, 4 * second


@pytest.mark.parametrize("runtime", ["onnx", "torch"])
@pytest.mark.parametrize("frames", [16, 333])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_gives_what_torch_gives(
    variant: str, frames: int, runtime: str, track_checkpoints: Folders, track_packs: Folders
) -> None:
    first, second = tracks(frames)

    latents = TrackModel.load(track_packs(variant), runtime=runtime).network(first, second)

    model = load(track_checkpoints(variant) / "cascade.pt")
    expected = model(torch.from_numpy(first), torch.from_numpy(second)).numpy()
    assert latents.shape == (1, 16, frames)
    np.testing.assert_allclose(latents, expected, atol=1e-4)


def test_the_longest_tracks_pass(track_checkpoints: Folders, track_packs: Folders) -> None:
    first, second = tracks(1950)

    latents = TrackModel.load(track_packs()).network(first, second)

    model = load(track_checkpoints() / "cascade.pt")
    expected = model(torch.from_numpy(first), torch.from_numpy(second)).numpy()
    np.testing.assert_allclose(latents, expected, atol=1e-4)


@pytest.mark.parametrize("name", [name for name in weights.SHAPES if name != "critic"])
def test_the_published_configurations_give_what_torch_gives(name: str, tmp_path: Path) -> None:
    first, second = weights.tracks()
    model = load(weights.drawn(name))

    build_cascade(tmp_path / CASCADE, arrays(model), model.architecture)
    latents = OnnxNetwork(tmp_path, threads=2)(first.numpy(), second.numpy())

    np.testing.assert_allclose(latents, model(first, second).numpy(), atol=1e-4)
