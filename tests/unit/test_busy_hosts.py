"""A host that is full: its songs wait, however long; they go elsewhere only where there is an elsewhere."""

from lambdas.core.breaking import Breaker
from lambdas.core.errors import Busy
from lambdas.core.jobs import STRIKES, Status
from tests.fakes.world import World

FULL = Busy("busy", "Every place is taken.", retry_after=30)


def test_a_song_waits_for_the_only_host_as_long_as_that_is_full():
    world = World()
    world.hosts["first"].refusals = [FULL] * 20
    world.submit()

    world.run()

    job = world.job()
    assert (job.status, job.trials, job.attempt) == (Status.COMPLETED, (), 21)
    assert world.hosts["first"].starts.total() == 21


def test_nobody_leaves_a_full_host_alone():
    world = World()
    world.hosts["first"].refusals = [FULL] * 20
    world.submit()

    world.run()

    assert world.conductor.routing.breakers.states(["first"]) == {"first": Breaker.CLOSED}


def test_a_song_goes_to_the_next_host_when_the_first_stays_full():
    world = World("first", "second")
    world.hosts["first"].refusals = [FULL] * 100
    world.submit()

    world.run()

    job = world.job()
    assert (job.status, job.backend) == (Status.COMPLETED, "second")
    assert [trial.code for trial in job.trials] == ["busy"] * STRIKES


def test_a_host_that_is_full_to_the_end_ends_the_song_in_time():
    world = World()
    world.hosts["first"].refusals = [FULL] * 1000
    world.submit()

    world.run()

    job = world.job()
    assert job.fault is not None
    assert job.fault.code == "deadline_exceeded"
