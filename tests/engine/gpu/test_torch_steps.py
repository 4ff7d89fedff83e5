"""Steps that are recorded: ahead, or in the middle of songs; and nothing in them asks the host."""

import numpy as np
import pytest

from model_container.engine.batch import Batch
from model_container.engine.song import Song
from model_container.engine.torch_graph import Run
from model_container.engine.windows import Windows
from tests.engine import tiny
from tests.engine.gpu.conftest import Models, Players
from tests.engine.test_batch import Ear, play, request


def test_recording_in_the_middle_of_songs_changes_nothing(on_torch: Models) -> None:
    """A recorder that runs a step for itself first, as one of CUDA graphs does."""
    recorded = []

    def running(run: Run) -> Run:
        run()
        recorded.append(run)
        return run

    plain, tried = on_torch(slots=2), on_torch(slots=2, record=running)
    sounds = []
    for model in (plain, tried):
        ears = [Ear(), Ear()]
        batch = Batch(model)
        for number, ear in enumerate(ears):
            batch.join(Song(model, request(number, frames=280), Windows(300, 200)), ear)
            batch.advance()
        play(batch)
        sounds.append([ear.sound for ear in ears])

    assert len(recorded) >= 3
    for one, other in zip(*sounds, strict=True):
        np.testing.assert_array_equal(one, other)


def test_warming_records_one_song_first_and_stops_when_its_time_is_over(players: Players) -> None:
    runs = []

    def counting(run: Run) -> Run:
        runs.append(run)
        return run

    player = players(slots=6, record=counting)
    shapes = list(player.shapes())

    assert player.warm(seconds=0) == 0
    assert player.warm(seconds=600) == len(shapes) == len(set(shapes)) == len(runs)
    assert {shape.songs for shape in shapes} == {1, 2, 4, 6}
    assert [shape.songs for shape in shapes[:6]] == [1] * 6


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_a_step_asks_the_host_for_nothing(kind: str, players: Players) -> None:
    """It runs on tensors that have a shape and no values: whatever looked at one would fail."""
    ran = []

    def running(run: Run) -> Run:
        run()
        ran.append(run)
        return run

    player = players(kind, slots=2, device="meta", record=running)

    assert player.warm(seconds=600) == len(ran) > 5
    with pytest.raises(RuntimeError, match="meta"):
        player.tensor(np.zeros(1, np.float32)).item()
