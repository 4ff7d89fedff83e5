"""A day's money: counted when work is taken on, corrected when it ends, and stopped at the ceilings."""

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.core.collection import Collection
from lambdas.core.conducting import MISSES
from lambdas.core.errors import Busy, HostRefusal, Lost, RequestError, TransientError
from lambdas.core.jobs import Status
from lambdas.core.ports import Failed, Finished, Running
from lambdas.core.spending import Ceilings
from tests.fakes.stories import LONG
from tests.fakes.wire import Crash
from tests.fakes.world import CENT, OWNER, REQUEST, World, settled

ESTIMATE = LONG.duration * CENT


def spent(world: World) -> tuple[float, float]:
    """Of the stage, and of its one caller."""
    day = world.time.now
    return world.spending.spent(day), world.spending.spent(day, OWNER.id)


def refused(world: World, key: str) -> RequestError:
    with pytest.raises(RequestError) as error:
        world.submit(LONG, key)
    return error.value


def test_an_estimate_counts_from_the_moment_that_a_job_is_taken():
    world = World()

    (job_id,) = world.submit(LONG)

    assert spent(world) == (ESTIMATE, ESTIMATE)
    assert world.job(job_id).cost.estimate_usd == ESTIMATE


@pytest.mark.parametrize("actual", [0.0, 0.125, 2.0])
def test_what_a_job_did_cost_takes_the_place_of_its_estimate(actual):
    world = World()
    world.hosts["first"].answers = (Finished(cost_usd=actual),)

    world.submit(LONG)
    world.run()

    assert settled(world) == [Status.COMPLETED]
    assert spent(world) == pytest.approx((actual, actual))


def test_a_job_that_fails_costs_what_its_attempts_did():
    world = World()
    world.hosts["first"].answers = (Failed("refused", "No.", transient=False, cost_usd=0.0625),)

    world.submit(LONG)
    world.run()

    assert settled(world) == [Status.FAILED]
    assert spent(world) == pytest.approx((0.0625, 0.0625))


def test_a_job_that_is_canceled_before_it_is_begun_gives_its_estimate_back():
    world = World()
    (job_id,) = world.submit(LONG)

    world.collection.cancel(job_id, OWNER)
    world.run()

    assert settled(world) == [Status.CANCELED]
    assert spent(world) == pytest.approx((0.0, 0.0))


@pytest.mark.parametrize("end", [Collection.cancel, Collection.delete])
def test_what_is_stopped_by_its_owner_costs_what_was_expected_of_it(end):
    world = World()
    world.hosts["first"].answers = (Running(0.9, check_after=300),)
    (job_id,) = world.submit(LONG)
    world.turn()
    world.turn()

    end(world.collection, job_id, OWNER)
    world.run()

    world.laws.hold_at_rest()
    assert spent(world) == pytest.approx((ESTIMATE, ESTIMATE))


def test_what_is_stopped_costs_what_its_host_says_that_it_did():
    world = World()
    world.hosts["first"].answers = (Running(0.9, check_after=300),)
    world.hosts["first"].cost_of_canceled = 0.125
    (job_id,) = world.submit(LONG)
    world.turn()

    world.collection.cancel(job_id, OWNER)
    world.run()

    assert settled(world) == [Status.CANCELED]
    assert world.job(job_id).cost.actual_usd == 0.125
    assert spent(world) == pytest.approx((0.125, 0.125))


def test_whoever_submits_and_cancels_comes_to_a_ceiling():
    world = World(ceilings=Ceilings(stage=2.5 * ESTIMATE))
    world.hosts["first"].answers = (Running(0.9, check_after=300),)

    for nth in range(20):
        with suppress(RequestError):
            (job_id,) = world.submit(LONG, f"key-{nth}")
            while world.deliver(world.queue, world.step):
                pass
            world.collection.cancel(job_id, OWNER)
            while world.deliver(world.queue, world.step):
                pass

    assert world.hosts["first"].starts.total() == 2


def test_what_is_not_ready_by_its_deadline_costs_what_was_expected_of_it():
    world = World()
    world.hosts["first"].answers = (Running(0.5, check_after=300),)

    world.submit(LONG)
    world.run()

    assert settled(world) == [Status.FAILED]
    assert spent(world) == pytest.approx((ESTIMATE, ESTIMATE))


def test_work_whose_host_fell_silent_costs_what_was_expected_of_it():
    world = World()
    silent = TransientError("unreachable", "Nobody answers.")
    world.hosts["first"].answers = (*[silent] * MISSES, Finished(cost_usd=0.0625))

    world.submit(LONG)
    world.run()

    assert settled(world) == [Status.COMPLETED]
    assert world.job().attempt == 2
    assert spent(world) == pytest.approx((ESTIMATE + 0.0625,) * 2)


@pytest.mark.parametrize("lost", [Crash, Lost("silent", "No answer."), RuntimeError])
def test_a_start_that_may_have_been_heard_costs_what_was_expected_of_it(lost):
    world = World()
    world.hosts["first"].answers = (Finished(cost_usd=0.0625),)
    world.submit(LONG)
    world.wire.after[_nth(world, "first.start")] = lambda: _raise(lost)

    world.run()

    assert settled(world) == [Status.COMPLETED]
    assert spent(world) == pytest.approx((ESTIMATE + 0.0625,) * 2)


def test_a_start_that_was_refused_costs_nothing():
    world = World()
    world.hosts["first"].refusals = (Busy("busy", "Full."), TransientError("http_503", "Not now."))
    world.hosts["first"].answers = (Finished(cost_usd=0.0625),)

    world.submit(LONG)
    world.run()

    assert settled(world) == [Status.COMPLETED]
    assert spent(world) == pytest.approx((0.0625, 0.0625))


@pytest.mark.parametrize(
    "said", [Failed("broken", "It broke.", transient=True), HostRefusal("no", "No more.")]
)
def test_work_that_fails_without_a_word_of_its_cost_costs_what_was_expected_of_it(said):
    world = World("first", "second")
    world.hosts["first"].answers = (said, Finished(cost_usd=0.0625))
    world.hosts["second"].answers = (Finished(cost_usd=0.0625),)

    world.submit(LONG)
    world.run()

    assert settled(world) == [Status.COMPLETED]
    assert spent(world) == pytest.approx((ESTIMATE + 0.0625,) * 2)


def test_work_that_fails_after_it_was_computed_costs_what_it_did():
    world = World("first", "second")
    error = HostRefusal("output_elsewhere", "It lies at somebody else's address.")
    error.cost_usd = 0.03125
    world.hosts["first"].answers = (error,)
    world.hosts["second"].answers = (Finished(cost_usd=0.0625),)

    world.submit(LONG)
    world.run()

    assert settled(world) == [Status.COMPLETED]
    assert spent(world) == pytest.approx((0.09375, 0.09375))


def test_what_costs_nothing_costs_nothing_when_it_is_stopped():
    world = World()
    world.hosts["first"].answers = (Running(0.9, check_after=300),)
    (job_id,) = world.submit(REQUEST)
    world.turn()

    world.collection.cancel(job_id, OWNER)
    world.run()

    assert settled(world) == [Status.CANCELED]
    assert spent(world) == (0.0, 0.0)


def _nth(world: World, name: str) -> int:
    """Which call of all will be the first of this one, when nothing goes wrong."""
    twin = World()
    twin.submit(LONG)
    twin.run()
    return twin.wire.calls.index(name)


def _raise(error: BaseException | type[BaseException]) -> None:
    raise error


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
