"""A signal ends a start at once; later it is something that is asked for, and strikes nothing."""

import os
import signal

import pytest

from local.interrupts import Interrupts

BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


@BOTH
def test_a_start_is_interrupted(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt), Interrupts():
        os.kill(os.getpid(), number)


@BOTH
def test_what_runs_is_told_and_not_interrupted(number: signal.Signals) -> None:
    with Interrupts() as interrupts:
        assert not interrupts.within(0)
        os.kill(os.getpid(), number)
        assert interrupts.within(60)
        assert interrupts.within(0)


def test_a_signal_that_came_before_anyone_asked_still_counts() -> None:
    with Interrupts() as interrupts:
        interrupts.within(0)
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)

        assert interrupts.within(0)


def test_an_ending_is_struck_only_once() -> None:
    with Interrupts():
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)


def test_afterwards_signals_are_as_before() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    with Interrupts():
        pass

    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_what_ignores_ctrl_c_goes_on_ignoring_it() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGINT)
            assert not interrupts.within(0)
    finally:
        signal.signal(signal.SIGINT, before)
