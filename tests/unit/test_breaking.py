"""Circuit breakers: when they open, who is let through, and what they write while all is well."""

from datetime import timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.core.breaking import Breaker, Breakers, Policy
from tests.fakes.stores import MemoryLedger, Time
from tests.fakes.wire import Wire

POLICY = Policy(failures=3, within=60, rest=30, longest_rest=100, probe=50, fresh=5)
CLOSED, OPEN, HALF_OPEN = Breaker


class Functions:
    """Two processes, one ledger."""

    def __init__(self, policy: Policy = POLICY, spread: float = 0.5) -> None:
        self.time = Time()
        self.ledger = MemoryLedger(self.time)
        self.told: list[str] = []
        self.works = count(1)
        self.wire = Wire()
        ledger = self.wire.through("ledger", self.ledger)
        self.one, self.other = (
            Breakers(ledger, self.time, policy, lambda: spread, lambda name, _: self.told.append(name))
            for _ in range(2)
        )

    @property
    def state(self) -> Breaker:
        """As a process that has just started sees it."""
        return Breakers(self.ledger, self.time, POLICY).states(["host"])["host"]

    def fail(self, times: int = 3, breakers: Breakers | None = None, probe: bool = False) -> None:
        for _ in range(times):
            (breakers or self.one).failed("host", "cold", f"work-{next(self.works)}", probe)


def test_a_host_that_fails_too_often_is_left_alone_by_everybody():
    functions = Functions()

    functions.fail(2)
    assert functions.one.admits("host", "job-1")
    functions.fail(1)

    assert not functions.one.admits("host", "job-1")
    assert not functions.other.admits("host", "job-2")
    assert functions.other.states(["host", "elsewhere"]) == {"host": OPEN, "elsewhere": CLOSED}


def test_failures_of_different_processes_add_up():
    functions = Functions()

    functions.fail(2, functions.one)
    functions.fail(1, functions.other)

    assert functions.state is OPEN


def test_the_same_failure_told_again_counts_once():
    functions = Functions()

    for _ in range(9):
        functions.one.failed("host", "cold", "work-1")

    assert functions.state is CLOSED


@pytest.mark.parametrize("pause", [61, 3600])
def test_failures_far_apart_open_nothing(pause):
    functions = Functions()

    for _ in range(9):
        functions.fail(1)
        functions.time.pass_by(pause)

    assert functions.state is CLOSED


def test_after_its_rest_one_job_is_let_through_and_no_other():
    functions = Functions()
    functions.fail()

    functions.time.pass_by(30)

    assert functions.state is HALF_OPEN
    assert functions.one.admits("host", "job-1")
    assert not functions.other.admits("host", "job-2")
    assert functions.other.admits("host", "job-1"), "asked again, it is the same probe"


def test_a_probe_that_succeeds_ends_the_rest():
    functions = Functions()
    functions.fail()
    functions.time.pass_by(30)
    functions.one.admits("host", "job-1")

    functions.one.succeeded("host", probe=True)

    assert functions.state is CLOSED
    functions.time.pass_by(POLICY.fresh)
    assert functions.other.admits("host", "job-2")


def test_a_probe_that_fails_begins_a_longer_rest():
    functions = Functions()
    functions.fail()
    functions.time.pass_by(30)
    functions.one.admits("host", "job-1")

    functions.fail(1, probe=True)

    functions.time.pass_by(59)
    assert functions.state is OPEN
    functions.time.pass_by(1)
    assert functions.state is HALF_OPEN


def test_a_probe_that_is_never_heard_of_makes_room_for_another():
    functions = Functions()
    functions.fail()
    functions.time.pass_by(30)
    functions.one.admits("host", "job-1")

    functions.time.pass_by(POLICY.probe)

    assert functions.other.admits("host", "job-2")


def test_a_success_while_it_rests_is_of_work_begun_before_and_changes_nothing():
    functions = Functions()
    functions.fail()

    functions.one.succeeded("host", probe=True)

    assert functions.state is OPEN


@pytest.mark.parametrize("tell", [lambda f: f.fail(9), lambda f: f.one.succeeded("host")])
def test_after_its_rest_nothing_counts_but_how_the_probe_fares(tell):
    functions = Functions()
    functions.fail()
    functions.time.pass_by(30)
    functions.one.admits("host", "job-1")

    tell(functions)

    assert functions.state is HALF_OPEN


def test_a_probe_whose_failure_is_told_again_and_again_opens_the_breaker_once():
    functions = Functions()
    functions.fail()
    for _ in range(4):
        functions.time.pass_by(POLICY.longest_rest + 1)
        functions.one.failed("host", "silent", "the-probe-1", probe=True)

    assert functions.told.count("BreakersOpened") == 2


def test_a_probe_that_shows_nothing_makes_room_for_another():
    functions = Functions()
    functions.fail()
    functions.time.pass_by(30)
    functions.one.admits("host", "job-1")

    functions.other.release("host", "job-2")
    assert not functions.other.admits("host", "job-2"), "the probe is another job's"
    functions.one.release("host", "job-1")

    assert functions.other.admits("host", "job-2")
    assert functions.state is HALF_OPEN


def test_a_process_that_has_not_heard_of_the_recovery_does_not_undo_it():
    functions = Functions()
    functions.fail()
    functions.time.pass_by(30)
    functions.one.states(["host"])
    functions.other.succeeded("host", probe=True)

    functions.fail(1, functions.one, probe=True)

    assert functions.state is CLOSED


def test_a_host_that_falters_again_soon_rests_longer_and_has_all_its_failures_before_it():
    functions = Functions()
    functions.fail()
    functions.time.pass_by(30)
    functions.one.succeeded("host", probe=True)

    functions.fail(2)
    assert functions.state is CLOSED
    functions.fail(1)

    functions.time.pass_by(59)
    assert functions.state is OPEN


def test_no_rest_is_longer_than_the_longest():
    functions = Functions()
    for _ in range(12):
        functions.fail(probe=True)
        functions.time.pass_by(POLICY.longest_rest)

    assert functions.state is HALF_OPEN


@given(st.floats(0, 1))
def test_rests_are_spread_so_that_hosts_are_not_asked_by_everybody_at_one_moment(spread):
    functions = Functions(spread=spread)

    functions.fail()

    assert functions.one.rest(["host"]) == pytest.approx(30 * (0.75 + spread / 2))


def test_while_all_is_well_nothing_is_written_and_reads_are_seconds_apart():
    functions = Functions()

    for _ in range(100):
        functions.one.admits("host", "job-1")
        functions.one.succeeded("host")
        functions.time.pass_by(1)

    assert functions.wire.calls == ["ledger.get"] * round(100 / POLICY.fresh)


def test_while_a_host_rests_its_further_failures_are_not_written():
    functions = Functions()
    functions.fail()
    calls = len(functions.wire.calls)

    functions.fail(50)

    assert len(functions.wire.calls) == calls


def test_the_mock_is_always_asked():
    functions = Functions()

    for nth in range(50):
        functions.one.failed("mock", "bug", f"work-{nth}")

    assert functions.one.admits("mock", "job-1")
    assert functions.one.states(["mock"]) == {"mock": CLOSED}


def test_what_happens_is_told_to_the_operator():
    functions = Functions()

    functions.fail()
    functions.time.pass_by(30)
    functions.one.succeeded("host", probe=True)

    assert functions.told == ["BackendFailures"] * 3 + ["BreakersOpened", "BreakersClosed"]


def test_long_after_its_last_rest_a_host_is_as_new():
    functions = Functions()
    functions.fail()
    functions.time.now += timedelta(days=1)

    assert functions.state is CLOSED
    functions.fail()
    assert functions.one.rest(["host"]) == 30
