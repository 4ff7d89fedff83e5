"""The mock as a host: its test phrases, its silence, its tickets."""

import io
import wave
from collections.abc import Callable
from dataclasses import replace

import pytest

from lambdas.backends.mix import mix
from lambdas.backends.mock import MockBackend, silence
from lambdas.core.errors import PermanentError, TransientError, Unfit
from lambdas.core.pieces import Piece, Ticket
from lambdas.core.ports import Failed, Finished, Input, Running, Work
from tests.fakes.examples import NOW, PIECE
from tests.fakes.stores import Time
from tests.unit.signals import sine, wav

WORK = Work(
    "job-1-1", 1, PIECE, "https://example.com/raw", "https://example.com/state", "https://example.com/state"
)


class Stage:
    def __init__(
        self, compose: Callable[[Piece], bytes] = lambda piece: piece.effective_prompt.encode()
    ) -> None:
        self.time = Time(NOW)
        self.stored: dict[str, bytes] = {}
        self.mock = MockBackend(compose, self.stored.__setitem__, self.time)

    def start(self, prompt: str, attempt: int = 1) -> Ticket:
        work = replace(WORK, id=f"job-1-{attempt}", attempt=attempt, piece=PIECE.but(effective_prompt=prompt))
        return self.mock.start(work)


def test_music_lies_where_the_work_says_before_anybody_asks():
    stage = Stage()

    ticket = stage.start("folk music: rain")

    assert stage.stored == {"https://example.com/raw": b"folk music: rain"}
    assert stage.mock.check(WORK, ticket) == Finished()


def test_a_refusal_can_be_asked_for():
    with pytest.raises(PermanentError):
        Stage().start("rain [[fail]]")


def test_failures_in_passing_can_be_asked_for_and_counted():
    stage = Stage()

    for attempt in (1, 2):
        with pytest.raises(TransientError):
            stage.start("rain [[fail:2]]", attempt)

    assert stage.mock.check(WORK, stage.start("rain [[fail:2]]", 3)) == Finished()


def test_an_unplanned_error_can_be_asked_for():
    with pytest.raises(RuntimeError):
        Stage().start("rain [[bug]]")


def test_slowness_can_be_asked_for_and_shows_its_progress():
    stage = Stage()
    ticket = stage.start("rain [[slow:20]]")
    seen: list[float] = []

    while isinstance(state := stage.mock.check(WORK, ticket), Running):
        seen.append(state.progress)
        assert 0 < state.check_after <= 2
        stage.time.pass_by(state.check_after)

    assert state == Finished()
    assert seen == sorted(seen)
    assert (stage.time.now - NOW).total_seconds() == 20


def test_of_two_tracks_it_makes_a_mix():
    stage = Stage()
    files = {name: wav(sine(2, 24_000, hertz, 1) * 0.2, 24_000) for name, hertz in (("a", 300), ("b", 500))}
    tracks = tuple(Input("track", name, 2.0) for name in files)
    mock = replace(stage.mock, get=files.__getitem__)

    mock.start(replace(WORK, piece=PIECE.but(duration=3.0), inputs=tracks))

    assert stage.stored == {WORK.output_url: mix([*files.values()], 3.0)}


def test_it_follows_no_tune():
    tune = Input("melody", "https://example.com/tune", 2.0)

    with pytest.raises(Unfit):
        Stage().mock.start(replace(WORK, inputs=(tune,)))


def test_a_test_phrase_is_not_sung():
    stage = Stage()

    stage.start("folk music: [[slow:3]] rain")

    assert stage.stored.popitem()[1] == b"folk music:  rain"


@pytest.mark.parametrize(
    "prompt", ["rain [fail]", "rain [[fail:]]", "rain [[fail:1000]]", "[[ fail ]]", "[[other]]"]
)
def test_what_only_looks_like_a_test_phrase_is_sung(prompt):
    stage = Stage()

    assert stage.mock.check(WORK, stage.start(prompt)) == Finished()
    assert stage.stored.popitem()[1] == prompt.encode()


@pytest.mark.parametrize(
    "ticket", ["", "null", "[]", "5", "{}", '{"began": "x", "seconds": 1}', '{"began": 1}']
)
def test_a_ticket_that_is_not_its_own_may_be_worth_another_try(ticket):
    state = Stage().mock.check(WORK, Ticket(id=ticket))

    assert isinstance(state, Failed)
    assert state.transient


@pytest.mark.parametrize("seconds", [1.0, 2.5, 1.00001])
def test_silence_is_as_long_as_asked_and_silent(seconds):
    with wave.open(io.BytesIO(silence(PIECE.but(duration=seconds)))) as wav:
        frames = wav.readframes(wav.getnframes())

        assert (wav.getnchannels(), wav.getframerate(), wav.getsampwidth()) == (2, 44_100, 2)
        assert wav.getnframes() == round(seconds * 44_100)
        assert not any(frames)
