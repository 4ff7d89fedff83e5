"""A day's money: counted when work is taken on, corrected when it ends, and stopped at the ceilings."""

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.core.errors import RequestError
from lambdas.core.jobs import Status
from lambdas.core.ports import Finished, Running
from lambdas.core.spending import Ceilings
from tests.fakes.stories import ESTIMATE, LONG, spent
from tests.fakes.wire import Crash
from tests.fakes.world import OWNER, REQUEST, World, settled


def refused(world: World, key: str) -> RequestError:
    with pytest.raises(RequestError) as error:
        world.submit(LONG, key)
    return error.value


def test_an_estimate_counts_from_the_moment_that_a_job_is_taken():
    world = World()

    (job_id,) = world.submit(LONG)

    assert spent(world) == (ESTIMATE, ESTIMATE)
    assert world.job(job_id).cost.estimate_usd == ESTIMATE


@pytest.mark.parametrize(
    ("ceilings", "code"),
    [(Ceilings(stage=0.5), "budget_exhausted"), (Ceilings(principal=0.5), "quota_exceeded")],
)
def test_beyond_a_ceiling_new_work_is_refused_until_midnight_and_leaves_nothing(ceilings, code):
    world = World(ceilings=ceilings)
    world.submit(LONG, "one")

    error = refused(world, "two")

    assert (error.code, error.retry_after) == (code, 12 * 3600)
    assert ("BudgetRefusals", {"code": code}) in world.told
    world.run()
    assert settled(world) == [Status.COMPLETED]


def test_what_is_refused_takes_no_room_from_what_fits():
    world = World(ceilings=Ceilings(stage=1.0))
    with pytest.raises(RequestError):
        world.submit(LONG.model_copy(update={"duration": 300.0}), "big")

    world.submit(LONG, "small")

    assert spent(world) == pytest.approx((ESTIMATE, ESTIMATE))
    world.run()
    assert settled(world) == [Status.COMPLETED]


@pytest.mark.parametrize("nth", range(12))
def test_of_two_that_come_at_once_and_fit_alone_never_both_are_taken_and_no_room_is_lost(nth):
    world = World(ceilings=Ceilings(stage=1.5 * ESTIMATE))
    world.wire.before[nth] = lambda: _tried(world, "other")

    _tried(world, "one")

    taken = [job for job in world.jobs.rows if job.admitted]
    assert len(taken) <= 1
    assert spent(world) == pytest.approx((len(taken) * ESTIMATE,) * 2)
    assert _tried(world, "again") is (not taken)


def _tried(world: World, key: str) -> bool:
    """Whether it was taken."""
    with suppress(RequestError):
        return bool(world.submit(LONG, key))
    return False


def test_what_was_taken_is_made_whatever_is_spent_meanwhile():
    world = World(ceilings=Ceilings(stage=0.5))
    world.hosts["first"].answers = (Finished(cost_usd=9.0),)

    world.submit(LONG, "one")
    world.spending.ledger.add([f"spent#{world.time.now:%Y-%m-%d}"], 100.0, "a flood", world.time.now)
    world.turn()
    world.turn()

    assert world.job().status is Status.COMPLETED


def test_models_that_cost_nothing_play_on():
    world = World(ceilings=Ceilings(stage=0.0, principal=0.0))
    refused(world, "paid")

    world.hosts["first"].answers = (Finished(),)
    world.submit(REQUEST, "free")
    world.run()

    assert settled(world) == [Status.COMPLETED]


def test_a_new_day_has_its_whole_budget():
    world = World(ceilings=Ceilings(stage=0.5))
    world.submit(LONG, "one")
    world.run()
    error = refused(world, "two")
    world.run()

    world.time.now += timedelta(seconds=error.retry_after or 0)
    world.submit(LONG, "three")
    world.run()

    assert settled(world) == [Status.COMPLETED] * 2


def test_a_job_that_ends_tomorrow_is_counted_today():
    world = World()
    world.time.now = world.time.now.replace(hour=23, minute=59, second=50)
    world.hosts["first"].answers = (Running(0.5, check_after=30), Finished(cost_usd=0.25))
    today = world.time.now

    world.submit(LONG)
    world.run()

    assert world.time.now.date() > today.date()
    assert world.spending.spent(today) == pytest.approx(0.25)
    assert world.spending.spent(world.time.now) == 0.0


def test_variations_are_all_taken_or_none():
    world = World(ceilings=Ceilings(stage=2.5 * ESTIMATE))

    with pytest.raises(RequestError):
        world.submit(LONG.model_copy(update={"variations": 3}), "three")
    world.run()

    assert settled(world) == []
    assert spent(world) == pytest.approx((0.0, 0.0))


@given(st.integers(1, 12), st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_a_burst_is_taken_up_to_the_ceiling_and_no_further(asked, fitting):
    world = World(ceilings=Ceilings(stage=fitting * ESTIMATE))

    for nth in range(asked):
        with suppress(RequestError):
            world.submit(LONG, f"key-{nth}")
        assert sum(job.reserved_usd for job in world.jobs.rows if job.admitted) <= fitting * ESTIMATE + 1e-6

    assert sum(job.admitted for job in world.jobs.rows) == min(asked, fitting)


@pytest.mark.parametrize("nth", range(8))
def test_a_request_that_died_before_its_answer_costs_nothing_if_nobody_asks_again(nth):
    world = World(ceilings=Ceilings(stage=1.0))
    world.wire.before[nth] = _die
    with suppress(Crash):
        world.submitter.submit(LONG, OWNER, "https://cadenza.example/v1")
    taken = [job.admitted for job in world.jobs.rows]

    world.run()

    assert settled(world) == [Status.COMPLETED for admitted in taken if admitted]


def _die() -> None:
    raise Crash


def test_a_hint_for_a_job_that_is_being_taken_on_finds_nothing_to_do():
    world = World()
    steps: list[object] = []
    world.wire.always["jobs.replace"] = lambda: steps.append(world.conductor.step("job-1"))

    world.submit(LONG)

    assert steps == [None]
    assert world.job().admitted
