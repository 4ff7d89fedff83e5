"""A codec slower than the loop, as one beside it on a GPU can be: nobody waits, and nothing is lost."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from model_container.engine.batch import Batch
from model_container.engine.encodec import Codec, Past, Pending
from model_container.engine.model import Model
from model_container.engine.song import Song
from model_container.engine.windows import Windows
from tests.engine.conftest import Folders
from tests.engine.test_batch import WINDOWS, Ear, alone, play, request


@dataclass
class Late:
    """Sound that is there when it was asked for often enough, or waited for."""

    made: Pending
    asked: int = 0
    waited: list[int] = field(default_factory=list)

    def ready(self) -> bool:
        self.asked += 1
        return self.asked > 30

    def array(self) -> np.ndarray:
        if self.asked <= 30:
            self.waited.append(self.asked)
        return self.made.array()


class LateCodec(Codec):
    def __init__(self, folder: Path, model: Model) -> None:
        super().__init__(folder, model.config.codec, channels=model.codec.channels, threads=1)
        self.started: list[Late] = []

    def chunk(
        self, latents: np.ndarray, fresh: slice, sounding: slice, past: Past | None
    ) -> tuple[Pending, Past]:
        sound, following = super().chunk(latents, fresh, sounding, past)
        self.started.append(Late(sound))
        return self.started[-1], following


@pytest.fixture
def late(packs: Folders) -> Model:
    model = Model.load(packs("text"), slots=3)
    model.codec = LateCodec(packs("text"), model)
    return model


def test_songs_sound_the_same_however_late_their_sound_is(late: Model, packs: Folders) -> None:
    on_time = Model.load(packs("text"))
    asked = [request(number, frames=60 + 31 * number) for number in range(5)]
    expected = [alone(on_time, each) for each in asked]

    batch, ears = Batch(late), [Ear() for _ in asked]
    for each, ear in zip(asked, ears, strict=True):
        batch.join(Song(late, each, WINDOWS), ear)
    play(batch)

    for ear, sound in zip(ears, expected, strict=True):
        assert ear.ended
        assert ear.error is None
        np.testing.assert_array_equal(ear.sound, sound)


def test_only_what_a_window_ends_with_is_waited_for(late: Model) -> None:
    codec, batch, ear = late.codec, Batch(late), Ear()
    assert isinstance(codec, LateCodec)
    batch.join(Song(late, request(0, frames=400), Windows(400, 240)), ear)

    play(batch)

    assert len(codec.started) == 5
    assert [bool(piece.waited) for piece in codec.started] == [False, False, False, False, True]


def test_a_song_whose_last_sound_fails_ends_with_the_error_and_the_others_go_on(late: Model) -> None:
    class Broken(Ear):
        def hear(self, sound: np.ndarray, made: int) -> None:
            if sound.shape[1]:
                raise OSError("no more room")

    batch, broken, fine = Batch(late), Broken(), Ear()
    batch.join(Song(late, request(0, frames=30), WINDOWS), broken)
    batch.join(Song(late, request(3, frames=90), WINDOWS), fine)
    play(batch)

    assert isinstance(broken.error, OSError)
    assert fine.sound.shape[1] == 90 * 640
    assert batch.running == batch.waiting == 0


def test_a_song_that_is_stopped_while_its_last_sound_is_made_is_heard_no_more(late: Model) -> None:
    batch, ear = Batch(late), Ear(patience=30)
    batch.join(Song(late, request(0, frames=30), WINDOWS), ear)

    play(batch)

    assert not ear.ended
    assert ear.sound.shape[1] == 0
    assert batch.running == 0
