"""The delay pattern, drawn."""

import numpy as np
import pytest

from model_container.engine.config import DecoderConfig
from model_container.engine.delay import DelayedCodes

PAD = 99


def config(codebooks: int = 4, channels: int = 1) -> DecoderConfig:
    return DecoderConfig(8, 1, 1, 8, codebooks, PAD, channels, None)


def drawn(codes: DelayedCodes) -> list[str]:
    """One line a codebook, P for pad."""
    columns = codes.columns(0, codes.next)
    return [" ".join("P" if token == PAD else str(token) for token in row) for row in columns.T]


def test_each_codebook_is_a_step_later_than_the_one_before() -> None:
    codes = DelayedCodes(config(), 3)

    for column in range(6):
        codes.append(np.array([10, 20, 30, 40]) + column)

    assert codes.done
    assert drawn(codes) == [
        "P 10 11 12 P P P",
        "P P 21 22 23 P P",
        "P P P 32 33 34 P",
        "P P P P 43 44 45",
    ]
    np.testing.assert_array_equal(codes.codes(0, 3), [[10, 11, 12], [21, 22, 23], [32, 33, 34], [43, 44, 45]])


def test_left_and_right_share_a_delay() -> None:
    codes = DelayedCodes(config(4, channels=2), 2)

    for column in range(3):
        codes.append(np.array([10, 20, 30, 40]) + column)

    assert codes.done
    assert drawn(codes) == ["P 10 11 P", "P 20 21 P", "P P 31 32", "P P 41 42"]


def test_a_prompt_stays_as_it_was_given() -> None:
    codes = DelayedCodes(config(), 3, np.array([[1, 2], [3, 4], [5, 6], [7, 8]]))
    before = drawn(codes)

    for column in range(4):
        codes.append(np.array([10, 20, 30, 40]) + column)

    assert before == ["P 1 2", "P P 3", "P P P", "P P P"]
    assert codes.done
    assert drawn(codes) == ["P 1 2 10 P P P", "P P 3 4 21 P P", "P P P 5 6 32 P", "P P P P 7 8 43"]


def test_a_frame_is_complete_when_its_last_codebook_is_there() -> None:
    codes = DelayedCodes(config(), 3)
    complete = [codes.complete]

    while not codes.done:
        codes.append(np.zeros(4, np.int64))
        complete.append(codes.complete)

    assert complete == [0, 0, 0, 0, 1, 2, 3]


def test_what_is_not_complete_is_not_given_out() -> None:
    codes = DelayedCodes(config(), 3, np.zeros((4, 2), np.int64))

    assert codes.codes(0, 2).shape == (4, 2)
    with pytest.raises(ValueError, match="not complete"):
        codes.codes(0, 3)


def test_a_prompt_that_fills_the_piece_is_refused() -> None:
    with pytest.raises(ValueError, match="leaves nothing"):
        DelayedCodes(config(), 2, np.zeros((4, 2), np.int64))
