"""Songs beside songs: the same bits, fair turns, and nobody holds the others up."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from model_container.engine import generate
from model_container.engine.batch import Batch
from model_container.engine.decoder import FloatArray, IntArray
from model_container.engine.model import Model
from model_container.engine.sampling import Sampling, sample
from model_container.engine.song import Request, Song
from model_container.engine.windows import Windows
from tests.engine.conftest import Folders, either_decoder

WINDOWS = Windows(length=40, stride=24)


@dataclass
class Ear:
    """A listener that keeps what it hears, and wants to hear so many frames."""

    patience: int = 10**6
    made: int = 0
    ended: bool = False
    error: Exception | None = None
    pieces: list[FloatArray] = field(default_factory=list)
    worked: float = 0.0

    def stopped(self) -> bool:
        return self.made >= self.patience

    def hear(self, sound: FloatArray, made: int) -> None:
        self.pieces.append(sound)
        self.made = made

    def work(self, seconds: float) -> None:
        assert not self.ended
        self.worked += seconds

    def end(self, error: Exception | None) -> None:
        self.ended, self.error = True, error

    @property
    def sound(self) -> FloatArray:
        return np.concatenate(self.pieces, axis=1)


def request(number: int, frames: int | None = None) -> Request:
    """Songs that differ in everything."""
    recording = np.random.default_rng(number).standard_normal((1, 640 * 11), np.float32)
    return Request(
        prompt="abc def " * (1 + number * 4),
        frames=frames or 30 + 7 * number,
        sampling=Sampling(temperature=1 + 0.1 * number, top_k=10 + number, seed=number),
        guidance=1 + number / 2,
        recording=recording if number % 3 == 2 else None,
    )


def play(batch: Batch) -> int:
    rounds = 0
    while batch.advance():
        rounds += 1
        assert rounds < 5000, "the batch does not come to an end"
    return rounds


def alone(model: Model, asked: Request) -> FloatArray:
    batch, ear = Batch(model), Ear()
    batch.join(Song(model, asked, WINDOWS), ear)
    play(batch)
    return ear.sound


@either_decoder
@pytest.mark.parametrize("weights", ["fp32", "int8"])
def test_a_song_has_the_same_bits_alone_and_beside_seven_others(
    packs: Folders, weights: str, decoder: str
) -> None:
    one, eight = (Model.load(packs("text", weights), slots=slots, decoder=decoder) for slots in (1, 8))
    expected = [alone(one, request(number)) for number in range(8)]

    batch, ears = Batch(eight), [Ear() for _ in range(8)]
    for number, ear in enumerate(ears):  # each joins while the others are at work
        batch.join(Song(eight, request(number), WINDOWS), ear)
        for _ in range(5):
            batch.advance()
    play(batch)

    for ear, sound in zip(ears, expected, strict=True):
        np.testing.assert_array_equal(ear.sound, sound)


def test_melody_songs_have_the_same_bits_alone_and_together(packs: Folders) -> None:
    one, three = (Model.load(packs("melody"), slots=slots) for slots in (1, 3))
    tune = np.random.default_rng(0).standard_normal(40_000).astype(np.float32)
    asked = [replace(request(1), melody=tune), request(0), replace(request(3), melody=tune[9000:])]
    expected = [alone(one, each) for each in asked]

    batch, ears = Batch(three), [Ear() for _ in asked]
    for each, ear in zip(asked, ears, strict=True):
        batch.join(Song(three, each, WINDOWS), ear)
    play(batch)

    for ear, sound in zip(ears, expected, strict=True):
        np.testing.assert_array_equal(ear.sound, sound)


def test_a_song_is_as_long_as_was_asked_and_ends_once(packs: Folders) -> None:
    model = Model.load(packs("stereo"))
    batch, ear = Batch(model), Ear()

    batch.join(Song(model, request(0, frames=77), WINDOWS), ear)
    play(batch)

    assert ear.sound.shape == (2, 77 * 640)
    assert ear.ended
    assert ear.error is None


def test_sound_comes_while_tokens_are_still_made(packs: Folders) -> None:
    model = Model.load(packs("text"))
    batch, ear = Batch(model), Ear()
    batch.join(Song(model, request(0, frames=200), WINDOWS), ear)

    while not any(piece.shape[1] for piece in ear.pieces):
        batch.advance()

    assert ear.made < 100  # two seconds


def test_a_short_song_does_not_wait_for_the_end_of_long_ones(packs: Folders) -> None:
    model = Model.load(packs("text"), slots=2)
    batch, long, short = Batch(model), [Ear(), Ear()], Ear()
    for number, ear in enumerate(long):
        batch.join(Song(model, request(number, frames=300), WINDOWS), ear)
    for _ in range(10):
        batch.advance()

    batch.join(Song(model, request(3, frames=20), WINDOWS), short)
    while not short.ended:
        batch.advance()

    assert all(ear.made < 100 for ear in long)
    play(batch)
    assert all(ear.sound.shape[1] == 300 * 640 for ear in long)


def test_songs_of_one_kind_advance_alike(packs: Folders) -> None:
    model = Model.load(packs("text"), slots=2)
    batch, ears = Batch(model), [Ear() for _ in range(4)]
    for number, ear in enumerate(ears):
        batch.join(Song(model, request(number, frames=240), WINDOWS), ear)

    for _ in range(300):
        batch.advance()
        started = [ear.made for ear in ears]
        assert max(started) - min(started) <= WINDOWS.length + WINDOWS.stride


def test_a_stopped_song_leaves_its_slot_to_the_next(packs: Folders) -> None:
    model = Model.load(packs("text"))
    batch, first, second = Batch(model), Ear(patience=10), Ear()
    expected = alone(model, request(3))

    batch.join(Song(model, request(1, frames=500), WINDOWS), first)
    batch.join(Song(model, request(3), WINDOWS), second)
    play(batch)

    assert first.made == 10
    assert not first.ended
    np.testing.assert_array_equal(second.sound, expected)


def test_a_song_stopped_in_the_line_is_never_begun(packs: Folders) -> None:
    model = Model.load(packs("text"))
    batch, first, second = Batch(model), Ear(), Ear(patience=0)

    batch.join(Song(model, request(0, frames=30), WINDOWS), first)
    batch.join(Song(model, request(1, frames=30), WINDOWS), second)
    play(batch)

    assert first.ended
    assert second.pieces == []


def test_a_song_whose_token_cannot_be_chosen_takes_nobody_with_it(
    packs: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Model.load(packs("text"), slots=2)
    batch, broken, fine = Batch(model), Ear(), Ear()
    expected = alone(model, request(3))

    def choose(logits: FloatArray, sampling: Sampling, step: int) -> IntArray:
        if sampling.seed == 0 and step > 9:
            raise ValueError("nothing to choose from")
        return sample(logits, sampling, step)

    monkeypatch.setattr(generate, "sample", choose)
    batch.join(Song(model, request(0), WINDOWS), broken)
    batch.join(Song(model, request(3), WINDOWS), fine)
    play(batch)

    assert isinstance(broken.error, ValueError)
    assert 0 < broken.made < 30
    assert fine.error is None
    np.testing.assert_array_equal(fine.sound, expected)


def test_a_song_that_fails_takes_nobody_with_it(packs: Folders) -> None:
    class Deaf(Ear):
        def hear(self, sound: FloatArray, made: int) -> None:
            raise OSError("no more room")

    model = Model.load(packs("text"), slots=2)
    batch, broken, fine = Batch(model), Deaf(), Ear()
    expected = alone(model, request(3))

    batch.join(Song(model, request(0), WINDOWS), broken)
    batch.join(Song(model, request(3), WINDOWS), fine)
    play(batch)

    assert isinstance(broken.error, OSError)
    np.testing.assert_array_equal(fine.sound, expected)
