"""A host that is full or waking: its songs wait, however long, or go elsewhere where they are taken."""

from datetime import datetime
from itertools import pairwise

import pytest

from lambdas.core.breaking import Breaker, Policy
from lambdas.core.errors import Busy, HostRefusal, TransientError, Waking
from lambdas.core.jobs import STRIKES, Status
from tests.fakes.world import World, settled

FULL = Busy("busy", "Every place is taken.", retry_after=30)
COLD = Waking("waking", "Not ready yet.", retry_after=100)
DOWN = TransientError("unreachable", "Nobody answers.")
UNPAID = HostRefusal("host_unauthorized", "There is no token.")
WELL = pytest.mark.parametrize("no_place", [FULL, COLD])


def test_a_song_waits_for_the_only_host_as_long_as_that_is_full():
    world = World()
    world.hosts["first"].refusals = [FULL] * 20
    world.submit()

    world.run()

    job = world.job()
    assert (job.status, job.attempt) == (Status.COMPLETED, 21)
    assert [trial.code for trial in job.trials] == ["busy"], "it is told once"
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
    assert [trial.code for trial in job.trials] == ["busy"]
    assert world.hosts["first"].starts.total() == STRIKES


@WELL
@pytest.mark.parametrize("second", [UNPAID, DOWN])
def test_a_song_comes_back_to_a_host_that_has_no_place_when_nobody_else_takes_it(no_place, second):
    world = World("first", "second")
    world.hosts["first"].refusals = [no_place] * 12
    world.hosts["second"].refusals = [second] * 99
    world.submit()

    world.run()

    assert settled(world) == [Status.COMPLETED]
    assert (world.job().backend, world.job().strikes) == ("first", {"second": STRIKES})


def test_hosts_that_are_all_full_are_asked_by_turns():
    world = World("first", "second")
    world.hosts["first"].refusals = [FULL] * 99
    world.hosts["second"].refusals = [FULL] * 5
    world.submit()

    world.run()

    assert settled(world) == [Status.COMPLETED]
    assert world.job().backend == "second"
    assert [world.hosts[name].starts.total() for name in ("first", "second")] == [6, 6]


def test_a_song_waits_for_a_host_that_takes_a_quarter_of_an_hour_to_start():
    world = World()
    world.hosts["first"].refusals = [COLD] * 9
    world.submit()

    world.run()

    assert settled(world) == [Status.COMPLETED]
    assert (world.job().strikes, world.told) == ({}, [])


def test_the_pauses_at_a_host_that_does_not_say_when_to_come_again_grow_to_half_a_minute():
    world = World()
    world.hosts["first"].refusals = [Busy("busy", "Full.")] * 7
    world.submit()
    asked: list[datetime] = []

    while world.turn():
        if world.hosts["first"].starts.total() > len(asked):
            asked.append(world.time.now)

    pauses = [(later - before).total_seconds() for before, later in pairwise(asked)]
    assert pauses == [2.0, 3.0, 6.0, 12.0, 24.0, 24.0, 24.0]


@WELL
def test_a_host_that_has_recovered_and_has_no_place_is_no_longer_left_alone(no_place):
    world = World("first", "second", policy=Policy(failures=1, rest=40))
    world.hosts["first"].refusals = [DOWN, *[no_place] * 99]
    world.submit(key="one")
    world.run()
    world.time.pass_by(60)

    (job_id,) = world.submit(key="two")
    world.run()

    assert world.breakers.states(["first"]) == {"first": Breaker.CLOSED}
    assert (world.job(job_id).backend, world.job(job_id).attempt) == ("second", STRIKES + 1)


def test_a_host_that_is_full_to_the_end_ends_the_song_in_time():
    world = World()
    world.hosts["first"].refusals = [FULL] * 1000
    world.submit()

    world.run()

    job = world.job()
    assert job.fault is not None
    assert job.fault.code == "deadline_exceeded"
