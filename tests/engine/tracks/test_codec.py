"""EnCodec at 24 kHz: sound to latents and back as the published implementations do it."""

from typing import Any

import numpy as np
import pytest
import torch

from model_container.tracks.model import TrackModel
from tests.engine.tiny_tracks import HOP
from tests.engine.tracks.conftest import Folders, noise

RUNTIMES = pytest.mark.parametrize("runtime", ["onnx", "torch"])
LENGTHS = pytest.mark.parametrize("samples", [8 * HOP, 24_000, 24_001, 50_219, 33_279])


@RUNTIMES
@LENGTHS
def test_latents_are_those_of_transformers(
    runtime: str, samples: int, track_packs: Folders, published: Any
) -> None:
    sound = noise(samples)

    latents = TrackModel.load(track_packs(), runtime=runtime).codec.encode(sound)

    with torch.no_grad():
        expected = published.encoder(torch.from_numpy(sound[:, None])).numpy()
    assert latents.shape == (2, 16, -(-samples // HOP))
    assert expected.std() > 0.01
    np.testing.assert_allclose(latents, expected, atol=1e-4)


@RUNTIMES
@pytest.mark.parametrize("frames", [8, 75, 101, 260])
def test_sound_is_that_of_transformers(
    runtime: str, frames: int, track_packs: Folders, published: Any
) -> None:
    latents = noise(16 * frames).reshape(2, 16, frames) * 5

    sound = TrackModel.load(track_packs(), runtime=runtime).codec.decode(latents)

    with torch.no_grad():
        expected = published.decoder(torch.from_numpy(latents))[:, 0].numpy()
    assert sound.shape == (2, frames * HOP)
    assert expected.std() > 0.001
    np.testing.assert_allclose(sound, expected, atol=1e-4)


@RUNTIMES
def test_the_longest_segment_passes(runtime: str, track_packs: Folders, published: Any) -> None:
    sound = noise(26 * 24_000, batch=1)
    codec = TrackModel.load(track_packs(), runtime=runtime).codec

    latents = codec.encode(sound)
    decoded = codec.decode(latents)

    with torch.no_grad():
        expected = published.decoder(torch.from_numpy(latents))[:, 0].numpy()
    assert latents.shape == (1, 16, 1950)
    np.testing.assert_allclose(decoded, expected, atol=1e-4)


@RUNTIMES
def test_too_little_sound_is_refused(runtime: str, track_packs: Folders) -> None:
    codec = TrackModel.load(track_packs(), runtime=runtime).codec

    with pytest.raises(ValueError, match="too few"):
        codec.encode(noise(7 * HOP))
    with pytest.raises(ValueError, match="too few"):
        codec.decode(np.zeros((1, 16, 7), np.float32))
