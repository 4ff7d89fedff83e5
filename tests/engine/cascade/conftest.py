"""What training's tests share: songs of our composer, and an EnCodec with few, random weights."""

import pytest

pytest.importorskip("tensorboard", reason="model_container/requirements-train.txt is not installed")

from collections.abc import Iterator
from pathlib import Path

import torch
from transformers import EncodecConfig, EncodecModel

from lambdas.backends.composer import perform, plan, to_wav
from model_container.training.codec import Codec, load_codec

DIM = 16


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Several would wait for each other more than they work: the models are small, and tests run abreast."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of four songs of four seconds, 44.1 kHz stereo."""
    folder = tmp_path_factory.mktemp("songs")
    for seed, genre in enumerate(("jazz", "techno", "waltz", "folk")):
        (folder / f"{genre}.wav").write_bytes(to_wav(perform(plan(genre, seed), 4.0)))
    return folder


@pytest.fixture(scope="session")
def encodec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an EnCodec of 16 channels."""
    folder = tmp_path_factory.mktemp("encodec")
    config = EncodecConfig(
        hidden_size=DIM, codebook_dim=DIM, num_filters=4, num_lstm_layers=1, codebook_size=8
    )
    with torch.random.fork_rng():
        torch.manual_seed(5)
        EncodecModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def codec(encodec: Path) -> Codec:
    return load_codec(encodec)
