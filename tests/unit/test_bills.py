"""What a job costs, however it ends: its attempts' bills, and what was expected where nobody sends one."""

from contextlib import suppress

import pytest

from lambdas.core.collection import Collection
from lambdas.core.conducting import MISSES
from lambdas.core.errors import Busy, HostRefusal, Lost, RequestError, TransientError
from lambdas.core.jobs import Status
from lambdas.core.ports import Failed, Finished, Running
from lambdas.core.spending import Ceilings
from tests.fakes.stories import ESTIMATE, LONG, spent
from tests.fakes.wire import Crash
from tests.fakes.world import OWNER, REQUEST, World, settled


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


def test_a_start_that_was_played_and_failed_costs_what_its_host_says():
    world = World()
    error = TransientError("container_failed", "It broke.")
    error.cost_usd = 0.03125
    world.hosts["first"].refusals = (error,)
    world.hosts["first"].answers = (Finished(cost_usd=0.0625),)

    world.submit(LONG)
    world.run()

    assert settled(world) == [Status.COMPLETED]
    assert spent(world) == pytest.approx((0.09375, 0.09375))


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
