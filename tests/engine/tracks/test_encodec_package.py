"""The encoder and decoder of the `encodec` package, which models like ours were trained with.

It is not installed with the rest: version 0.1.1 is not maintained, is licensed CC-BY-NC-4.0, and wants a
torchaudio that it hardly uses. To run these tests:

    .local/reference/bin/python -m pip install --no-deps encodec==0.1.1 einops==0.8.2
"""

import sys
import types
import warnings
from typing import Any

import numpy as np
import pytest
import torch

from model_container.engine.checkpoint import Checkpoint
from model_container.tracks.model import TrackModel
from tests.engine.tiny_tracks import FILTERS, HIDDEN
from tests.engine.tracks.conftest import Folders, noise


@pytest.fixture
def package(track_checkpoints: Folders, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The package's encoder and decoder with the tiny checkpoint's weights, every one in its place."""
    monkeypatch.setitem(
        sys.modules, "torchaudio", types.ModuleType("torchaudio")
    )  # imported, and not used here
    modules = pytest.importorskip("encodec", reason="encodec 0.1.1 is not installed").modules
    options = {"dimension": HIDDEN, "n_filters": FILTERS, "norm": "weight_norm", "causal": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch's, about the old weight normalisation
        sides = {"encoder": modules.SEANetEncoder(**options), "decoder": modules.SEANetDecoder(**options)}
    checkpoint = Checkpoint(track_checkpoints() / "encodec")
    for side, module in sides.items():
        shapes = {name: tuple(value.shape) for name, value in module.state_dict().items()}
        state = {name: checkpoint.tensor(_name(side, name), *shape) for name, shape in shapes.items()}
        module.eval().load_state_dict({name: torch.tensor(value) for name, value in state.items()})
    checkpoint.finish(["codebook.embed"])
    return types.SimpleNamespace(**sides)


def _name(side: str, name: str) -> str:
    inner = name.replace("convtr.convtr", "conv").replace("conv.conv", "conv").removeprefix("model.")
    return f"{side}.layers.{inner}"


@pytest.mark.parametrize("runtime", ["onnx", "torch"])
@pytest.mark.parametrize("samples", [24_000, 50_219])
def test_latents_and_sound_are_those_of_the_package(
    runtime: str, samples: int, package: Any, track_packs: Folders
) -> None:
    sound, codec = noise(samples), TrackModel.load(track_packs(), runtime=runtime).codec

    latents = codec.encode(sound)
    decoded = codec.decode(latents)

    with torch.no_grad():
        expected = package.encoder(torch.from_numpy(sound[:, None]))
        np.testing.assert_allclose(latents, expected.numpy(), atol=1e-4)
        np.testing.assert_allclose(decoded, package.decoder(expected)[:, 0].numpy(), atol=1e-4)


@pytest.mark.parametrize("samples", [24_000, 50_219])
def test_transformers_and_the_package_agree(samples: int, package: Any, published: Any) -> None:
    sound = torch.from_numpy(noise(samples)[:, None])

    with torch.no_grad():
        latents, expected = published.encoder(sound), package.encoder(sound)
        np.testing.assert_allclose(latents.numpy(), expected.numpy(), atol=1e-5)
        decoded, wanted = published.decoder(expected), package.decoder(expected)
        np.testing.assert_allclose(decoded.numpy(), wanted.numpy(), atol=1e-5)
