"""Which host gets a job: the chain's order, who is left alone, who waits, and what its owner is told."""

from lambdas.core.breaking import Breaker, Policy
from lambdas.core.errors import HostRefusal, PermanentError, TransientError, Unfit, Waking
from lambdas.core.jobs import Status
from lambdas.core.ports import Failed, Finished, Running
from lambdas.core.routing import RESTING
from tests.fakes.stories import NOT_NOW
from tests.fakes.world import World, settled

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


def test_a_job_that_finds_out_that_a_host_is_still_down_is_not_struck_for_it():
    world = World("first", policy=Policy(failures=1, rest=30, longest_rest=60))
    world.hosts["first"].refusals = (DOWN,) * 9

    job = world.job(submitted(world, "one"))

    assert settled(world) == [Status.COMPLETED]
    assert [trial.code for trial in job.trials] == ["unreachable"] * 9
