"""The beginning of a WAV, and what is handed on untouched."""

import io
import wave

import pytest

from lambdas.backends.mock import silence
from lambdas.backends.wav import beginning
from tests.fakes.examples import PIECE

WHOLE = silence(PIECE.but(duration=2.0))


@pytest.mark.parametrize("seconds", [0.5, 1.25, 1.9999])
def test_a_beginning_has_its_length_to_the_sample_and_the_wholes_shape(seconds: float) -> None:
    with wave.open(io.BytesIO(beginning(WHOLE, seconds)), "rb") as part:
        assert part.getnframes() == round(seconds * 44_100)
        assert (part.getnchannels(), part.getframerate(), part.getsampwidth()) == (2, 44_100, 2)


@pytest.mark.parametrize("seconds", [2.0, 2.5, 300.0])
def test_what_is_no_longer_than_that_is_handed_on(seconds: float) -> None:
    assert beginning(WHOLE, seconds) is WHOLE


@pytest.mark.parametrize(
    "odd", [b"", b"RIFF", b"no WAV at all", WHOLE[:40], WHOLE[:20] + b"\x03" + WHOLE[21:]]
)
def test_what_is_no_pcm_is_handed_on(odd: bytes) -> None:
    assert beginning(odd, 1.0) is odd


def test_a_writer_that_did_not_know_the_length_is_cut_all_the_same() -> None:
    at = WHOLE.index(b"data") + 4
    streamed = WHOLE[:at] + b"\xff\xff\xff\xff" + WHOLE[at + 4 :]

    with wave.open(io.BytesIO(beginning(streamed, 1.0)), "rb") as part:
        assert part.getnframes() == 44_100
