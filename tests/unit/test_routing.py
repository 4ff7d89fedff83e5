"""Which host gets a job: the chain's order, who is left alone, who waits, and what its owner is told."""

from datetime import timedelta

import pytest

from lambdas.core.breaking import Breaker, Policy
from lambdas.core.errors import HostRefusal, PermanentError, StoreFault, TransientError, Unfit, Waking
from lambdas.core.jobs import Status
from lambdas.core.ports import Failed, Finished, Running
from lambdas.core.routing import RESTING
from tests.fakes.stories import NOT_NOW
from tests.fakes.world import OWNER, World, settled

TOUCHY = Policy(failures=1, rest=40)
DOWN = TransientError("unreachable", "Nobody answers.")


def submitted(world: World, key: str) -> str:
    (job_id,) = world.submit(key=key)
    world.run()
    return job_id


def test_a_host_that_is_left_alone_is_passed_by_and_the_owner_is_told():
    world = World("first", "second", policy=TOUCHY)
    world.hosts["first"].refusals = (DOWN,)
    submitted(world, "one")

    second = world.job(submitted(world, "two"))

    assert (second.backend, second.attempt) == ("second", 1)
    assert [(trial.backend, trial.code) for trial in second.trials] == [("first", "left_alone")]
    assert world.hosts["first"].starts.total() == 1


def test_a_host_that_has_recovered_is_asked_again():
    world = World("first", "second", policy=TOUCHY)
    world.hosts["first"].refusals = (DOWN,)
    submitted(world, "one")
    world.time.pass_by(TOUCHY.rest)

    probe = world.job(submitted(world, "two"))
    after = world.job(submitted(world, "three"))

    assert [probe.backend, after.backend] == ["first", "first"]
    assert ("BreakersClosed", {"backend": "first"}) in world.told


def test_while_one_job_probes_the_others_take_the_next_host():
    world = World("first", "second", policy=TOUCHY)
    world.hosts["first"].refusals = (DOWN,)
    submitted(world, "one")
    world.time.pass_by(TOUCHY.rest)
    world.hosts["first"].answers = (Running(0.5, check_after=20), Finished())

    (probe,) = world.submit(key="two")
    world.turn()
    (other,) = world.submit(key="three")
    world.run()

    assert [world.job(job_id).backend for job_id in (probe, other)] == ["first", "second"]


def test_with_every_host_left_alone_a_job_waits_and_says_so():
    world = World("first", policy=TOUCHY)
    world.hosts["first"].refusals = (DOWN,)

    (job_id,) = world.submit()
    world.turn()
    while world.job(job_id).message != RESTING:
        assert world.turn()
    world.run()

    assert settled(world) == [Status.COMPLETED]
    job = world.job(job_id)
    assert job.completed_at is not None
    assert (job.completed_at - job.created_at).total_seconds() >= TOUCHY.rest


def test_a_job_that_waits_in_vain_ends_at_its_deadline():
    world = World("first", policy=Policy(failures=1, rest=3600, longest_rest=36_000))
    world.hosts["first"].refusals = (DOWN,)

    job_id = submitted(world, "one")

    assert settled(world) == [Status.FAILED]
    fault = world.job(job_id).fault
    assert fault is not None
    assert fault.code == "deadline_exceeded"
    assert world.hosts["first"].starts.total() == 1


def test_no_job_alone_opens_a_breaker():
    world = World("first")
    world.hosts["first"].answers = (*[NOT_NOW] * 24, Finished())

    submitted(world, "one")

    assert world.breakers.states(["first"]) == {"first": Breaker.CLOSED}
    assert not [name for name, _ in world.told if name == "BreakersOpened"]


def test_what_a_caller_did_wrong_is_not_held_against_the_host():
    world = World("first", "second", policy=TOUCHY)
    world.hosts["first"].refusals = (
        PermanentError("refused", "Not this prompt."),
        Unfit("not_hosted", "No."),
    )
    world.hosts["first"].answers = (Failed("refused", "Not this prompt.", transient=False),)

    for key in ("one", "two", "three"):
        submitted(world, key)

    assert world.breakers.states(["first"]) == {"first": Breaker.CLOSED}
    assert world.told == []


def test_a_host_that_sleeps_while_nobody_asks_is_not_left_alone_for_it():
    world = World("first", policy=TOUCHY)
    world.hosts["first"].refusals = (Waking("waking", "Not ready yet.", 100.0),) * 2

    submitted(world, "one")

    assert settled(world) == [Status.COMPLETED]
    assert world.breakers.states(["first"]) == {"first": Breaker.CLOSED}
    assert world.told == []


def test_a_host_that_is_not_paid_is_left_alone():
    world = World("first", "second", policy=TOUCHY)
    world.hosts["first"].refusals = (HostRefusal("http_402", "The account is not paid."),) * 9

    submitted(world, "one")
    submitted(world, "two")

    assert world.hosts["first"].starts.total() == 1
    assert world.told == [
        ("BackendFailures", {"backend": "first", "code": "http_402"}),
        ("BreakersOpened", {"backend": "first"}),
    ]


@pytest.mark.parametrize(
    "shown",
    [PermanentError("refused", "Not this."), Unfit("not_hosted", "No."), StoreFault("upload_failed", "No.")],
)
def test_a_probe_that_shows_nothing_of_the_host_makes_room_for_the_next_at_once(shown):
    world = World("first", policy=TOUCHY)
    world.hosts["first"].refusals = (DOWN, shown)
    ids = [*world.submit(key="one"), *world.submit(key="two")]

    world.run()

    ends = [world.job(job_id).completed_at or world.time.now for job_id in ids]
    assert max(ends) - world.job(ids[0]).created_at < timedelta(seconds=2 * TOUCHY.rest)
    assert world.hosts["first"].starts.total() >= 3


def test_a_probe_that_is_canceled_makes_room_for_the_next():
    world = World("first", policy=TOUCHY)
    world.hosts["first"].answers = (Running(0.5, check_after=20), Finished())
    world.breakers.failed("first", "unreachable", "another job's")
    world.time.pass_by(TOUCHY.rest)
    (probe,) = world.submit()
    world.turn()

    world.collection.cancel(probe, OWNER)
    world.run()

    assert world.breakers.states(["first"]) == {"first": Breaker.HALF_OPEN}
    assert world.breakers.admits("first", "another job")


def test_a_no_to_what_was_asked_ends_the_rest_of_a_host_that_looked_at_it():
    world = World("first", "second", policy=TOUCHY)
    world.hosts["first"].refusals = (DOWN,)
    world.hosts["first"].answers = (Failed("refused", "Not this prompt.", transient=False),)
    submitted(world, "one")
    world.time.pass_by(TOUCHY.rest)

    submitted(world, "two")

    assert world.breakers.states(["first"]) == {"first": Breaker.CLOSED}


def test_what_our_own_bucket_does_is_no_fault_of_the_host():
    world = World("first", "second", policy=TOUCHY)
    world.hosts["first"].refusals = (StoreFault("input_unreachable", "The recording could not be read."),)
    world.hosts["first"].answers = (StoreFault("upload_refused", "The store refused."), Finished())

    job = world.job(submitted(world, "one"))

    assert (job.status, job.backend, world.told) == (Status.COMPLETED, "first", [])
    assert [trial.code for trial in job.trials] == ["input_unreachable"]


def test_a_refusal_that_the_operator_must_mend_is_told_once_for_each_attempt():
    world = World("first", "second")
    world.hosts["first"].refusals = (HostRefusal("host_unauthorized", "Store a token."),) * 9

    for key in ("one", "two"):
        submitted(world, key)

    about = {"backend": "first", "code": "host_unauthorized", "detail": "Store a token.", "attempt": "1"}
    assert world.warned == [{**about, "job_id": job.job_id} for job in world.jobs.rows]


def test_a_job_that_finds_out_that_a_host_is_still_down_is_not_struck_for_it():
    world = World("first", policy=Policy(failures=1, rest=30, longest_rest=60))
    world.hosts["first"].refusals = (DOWN,) * 9

    job = world.job(submitted(world, "one"))

    assert settled(world) == [Status.COMPLETED]
    assert [trial.code for trial in job.trials] == ["unreachable"] * 9
