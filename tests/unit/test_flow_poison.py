"""The flow of a job when something never works: dead letters, deadlines, and an end all the same."""

from functools import partial

import pytest

from lambdas.core.errors import TransientError
from lambdas.core.jobs import Status
from lambdas.core.ports import Failed, Finished, Message, Running
from tests.fakes.stories import NOT_NOW
from tests.fakes.wire import Broken, Crash
from tests.fakes.world import OWNER, World, settled

HOUR = 3600


def broken(error: type[BaseException]) -> object:
    raise error()


POISON = ("links.upload", "first.start", "first.check", "objects.read", "mastering.master", "objects.write")


@pytest.mark.parametrize("call", POISON)
def test_a_port_that_always_breaks_leaves_a_dead_letter_and_a_failed_job(call):
    world = World()
    world.wire.always[call] = partial(broken, Broken)

    (job_id,) = world.submit()
    world.run()

    assert settled(world) == [Status.FAILED]
    fault = world.job(job_id).fault
    assert fault is not None
    assert fault.code == "internal_error"
    assert Message(job_id=job_id).encode() in world.queue.dead.bodies
    assert set(world.announced()) == {(f"msg_{job_id}", "job.failed")}


@pytest.mark.parametrize("call", ["first.start", "first.check", "mastering.master"])
def test_a_process_that_always_dies_at_one_place_leaves_a_failed_job(call):
    world = World()
    world.wire.always[call] = partial(broken, Crash)

    world.submit()
    world.run()

    assert settled(world) == [Status.FAILED]


@pytest.mark.parametrize("call", ["jobs.replace", "jobs.get", "queue.send", "queue.send_all", "ledger.put"])
@pytest.mark.parametrize("error", [Broken, Crash])
def test_a_port_that_breaks_for_a_quarter_of_an_hour_only_delays_the_end(call, error):
    world = World()
    (job_id,) = world.submit()
    until = world.time.now.timestamp() + HOUR / 4

    world.wire.always[call] = lambda: world.time.now.timestamp() < until and broken(error)
    world.run()

    assert all(status.terminal for status in settled(world))
    assert world.job(job_id).completed_at is not None


def test_dead_letters_stay_and_are_buried_once():
    world = World()
    world.wire.always["first.start"] = partial(broken, Broken)
    world.submit()
    world.run()
    letters = list(world.queue.dead.bodies)

    found = world.janitor.tidy()

    assert found.buried == 0
    assert world.queue.dead.bodies == letters


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "{",
        "[]",
        "{}",
        '{"job_id": 7}',
        '{"job_id": ""}',
        '{"job_id": "job-1", "audio_url": "https://example.com"}',
        '{"job_id": "job-1", "attempt": "many"}',
        "\x00\ud800",
        '{"job_id": "' + "j" * 5000 + '"}',
        "[" * 10_000,
    ],
)
def test_a_message_that_was_never_ours_ends_among_the_dead_letters_and_harms_no_job(body):
    world = World()
    world.queue.post(body)

    world.submit()
    world.run()

    assert settled(world) == [Status.COMPLETED]
    assert world.queue.dead.bodies == [body]
    assert world.janitor.tidy().buried == 0


def test_a_message_about_a_job_that_is_not_there_is_forgotten():
    world = World()
    world.queue.send(Message(job_id="job-99"))

    world.run()

    assert world.queue.dead.bodies == []


def test_a_host_that_is_never_done_ends_at_the_deadline_and_is_told_to_stop():
    world = World()
    world.hosts["first"].answers = (Running(0.5, check_after=300),)

    (job_id,) = world.submit()
    world.run()

    assert settled(world) == [Status.FAILED]
    job = world.job(job_id)
    assert job.fault is not None
    assert job.fault.code == "deadline_exceeded"
    assert set(world.hosts["first"].canceled) == {"first:job-1-1"}


def test_a_job_that_no_conductor_ever_takes_is_ended_by_the_janitor():
    world = World()
    (job_id,) = world.submit()
    world.queue.letters.clear()

    for _ in range(75):
        world.time.pass_by(60)
        world.janitor.tidy()

    assert world.job(job_id).status is Status.FAILED
    world.run()
    assert settled(world) == [Status.FAILED]


def test_a_chain_whose_hosts_all_refuse_for_now_fails_with_the_last_ones_reason():
    world = World("first", "second")
    world.hosts["first"].refusals = (NOT_NOW,) * 9
    world.hosts["second"].refusals = (TransientError("cold", "The endpoint is starting."),) * 9

    (job_id,) = world.submit()
    world.run()

    assert settled(world) == [Status.FAILED]
    job = world.job(job_id)
    assert job.fault is not None
    assert job.fault.code == "no_backend_available"
    assert "The endpoint is starting." in job.fault.detail
    assert [trial.backend for trial in job.trials] == ["first"] * 3 + ["second"] * 3
    assert [trial.attempt for trial in job.trials] == [1, 2, 3, 4, 5, 6]


def test_the_next_host_of_a_chain_gets_its_own_three_tries():
    world = World("first", "second")
    world.hosts["first"].answers = (Failed("cold", "Starting up.", transient=True),)
    world.hosts["second"].refusals = (NOT_NOW, NOT_NOW)

    (job_id,) = world.submit()
    world.run()

    assert settled(world) == [Status.COMPLETED]
    assert world.job(job_id).backend == "second"
    assert world.hosts["first"].starts.total() == 3
    assert world.hosts["second"].starts.total() == 3


def test_checks_that_go_unanswered_are_forgiven_until_the_eighth():
    world = World()
    world.hosts["first"].answers = (*[NOT_NOW] * 7, Finished())

    (job_id,) = world.submit()
    world.run()

    assert settled(world) == [Status.COMPLETED]
    assert world.job(job_id).attempt == 1


def test_a_host_whose_cancel_is_broken_keeps_no_job_from_its_end():
    world = World()
    world.hosts["first"].answers = (Running(0.1, check_after=60), Finished())
    world.wire.always["first.cancel"] = partial(broken, Broken)
    (job_id,) = world.submit()
    world.turn()

    world.collection.cancel(job_id, OWNER)
    world.run()

    assert settled(world) == [Status.CANCELED]
