"""What each song is charged of the time in which several are made."""

from itertools import count

import numpy as np
import pytest

from model_container.engine.batch import Batch
from model_container.engine.model import Model
from model_container.engine.song import Song
from tests.engine.conftest import Folders
from tests.engine.test_batch import WINDOWS, Ear, play, request


class Ticking:
    """A clock that goes on by a few seconds, by chance, whenever it is looked at."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self.now = 0.0

    def __call__(self) -> float:
        self.now += float(self._random.uniform(0, 3))
        return self.now


@pytest.mark.parametrize(("slots", "seed"), [(1, 0), (2, 1), (3, 2), (8, 3)])
def test_what_songs_are_charged_is_never_more_than_the_time_there_was(
    packs: Folders, slots: int, seed: int
) -> None:
    model, clock = Model.load(packs("text"), slots=slots), Ticking(seed)
    batch, ears = Batch(model, clock), [Ear(patience=20 if number == 2 else 10**6) for number in range(6)]
    for number, ear in enumerate(ears):
        batch.join(Song(model, request(number), WINDOWS), ear)

    play(batch)

    assert all(ear.worked > 0 for ear in ears)
    assert sum(ear.worked for ear in ears) <= clock.now


def test_songs_that_are_made_together_share_each_step_and_who_waits_is_charged_nothing(
    packs: Folders,
) -> None:
    model, looks = Model.load(packs("text"), slots=2), count()
    batch, ears = Batch(model, lambda: float(next(looks))), [Ear() for _ in range(3)]
    for ear in ears:
        batch.join(Song(model, request(0, frames=30), WINDOWS), ear)

    while not ears[0].made:
        batch.advance()
    assert ears[2].worked == 0
    play(batch)

    assert sum(ear.worked for ear in ears) == next(looks) / 2  # a step lasts from look to look
    assert ears[0].worked < ears[2].worked  # which had the model to itself
