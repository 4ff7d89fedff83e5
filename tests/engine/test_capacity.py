"""Songs at a time by memory: what the decoder that is chosen takes, and the sound that waits to be read."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from model_container import serve
from model_container.engine.config import load_config
from model_container.engine.model import NATIVE, Model
from model_container.engine.native import NativeDecoder, kernels
from model_container.server import capacity
from model_container.server.song_studio import SongStudio
from tests.engine.conftest import NATIVE as IF_COMPILED
from tests.engine.conftest import Folders

SOUND = 4 * 640 * 15_000  # bytes: five minutes of one channel
ROWS = 2 * 1504 + 512  # positions that a song keeps: of its two rows, and of its text


@pytest.fixture
def folder(packs: Folders) -> Path:
    return packs("text", "int8")


def need(folder: Path, decoder: str, songs: int, queue: int) -> int:
    """Bytes that so many songs take by themselves, reckoned without the code that is tested."""
    weights = (folder / NATIVE if decoder == "native" else folder / "decoder.weights").stat().st_size
    values = 2 * 2 * ROWS * (64 + 4 * 4 if decoder == "native" else 64 * 4)  # of 2 layers with 4 heads
    return capacity.BASE + weights + songs * (values + SOUND) + queue * SOUND


@pytest.mark.parametrize("decoder", ["native", "onnx"])
@pytest.mark.parametrize("songs", [2, 5])
@pytest.mark.parametrize("queue", [0, 16])
def test_as_many_songs_are_made_at_a_time_as_memory_holds(
    folder: Path, decoder: str, songs: int, queue: int
) -> None:
    enough = need(folder, decoder, songs, queue)

    assert capacity.slots(folder, decoder, enough, queue) == songs
    assert capacity.slots(folder, decoder, enough - 1, queue) == songs - 1


@pytest.mark.parametrize("decoder", ["onnx", IF_COMPILED])
def test_a_server_has_the_places_that_its_decoder_leaves_room_for(folder: Path, decoder: str) -> None:
    options = "--decoder", decoder, "--memory", str(need(folder, decoder, 3, 2)), "--queue", "2"

    with ExitStack() as running:
        studio = serve._open(serve._parse([str(folder), *options]), running)

        assert isinstance(studio, SongStudio)
        assert type(studio.engine.model.decoder).__name__.lower() == f"{decoder}decoder"
        assert studio.engine.model.decoder.slots == 3
        assert studio.engine.places.capacity == 5


def test_one_song_at_a_time_is_always_tried_and_there_is_a_most(folder: Path) -> None:
    assert capacity.slots(folder, "native", 0, 16) == 1
    assert capacity.slots(folder, "native", 1 << 40, 16) == capacity.MAX_SLOTS


@pytest.mark.skipif(not kernels(), reason="no C++ compiler here")
@pytest.mark.parametrize("weights", ["fp32", "bf16", "int8", "int4"])
@pytest.mark.parametrize("kind", ["text", "melody"])
def test_what_a_song_is_reckoned_with_is_what_our_decoder_takes(
    packs: Folders, kind: str, weights: str
) -> None:
    folder = packs(kind, weights)
    model = Model.load(folder, decoder="native")
    text = 0 if kind == "melody" else 512

    reckoned = capacity.cache(load_config(folder), "native", weights)

    assert isinstance(model.decoder, NativeDecoder)
    whole = model.decoder.slot_bytes * (1 + text / (2 * model.decoder.max_positions))
    assert reckoned == pytest.approx(whole, rel=0.01)


def test_stereo_takes_twice_the_sound(packs: Folders) -> None:
    mono, stereo = packs("text", "int8"), packs("stereo", "int8")
    budget = need(mono, "onnx", 4, 0)

    assert capacity.slots(mono, "onnx", budget, 0) == 4
    assert capacity.slots(stereo, "onnx", budget, 0) == 2
