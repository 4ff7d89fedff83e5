"""One short step: what it writes, when it comes back, and what it answers to a host's every answer."""

from datetime import timedelta

import pytest

from lambdas.core.conducting import MISSES
from lambdas.core.errors import PermanentError, TransientError
from lambdas.core.jobs import GRACE, Job, Status, keys_of
from lambdas.core.ports import Failed, Finished, Message, Running
from lambdas.core.recordings import Format
from lambdas.core.retrying import LONGEST_WAIT, backoff
from tests.fakes.stories import NOT_NOW
from tests.fakes.world import LEASE, World, settled

NEVER = (Running(0.5, "Halfway", check_after=30),)


def begun(world: World) -> Job:
    """A job whose model has just been started."""
    (job_id,) = world.submit()
    world.turn()
    return world.job(job_id)


def letters(world: World) -> list[float]:
    """In how many seconds each message arrives."""
    return [(letter.visible_at - world.time.now).total_seconds() for letter in world.queue.letters]


@pytest.mark.parametrize("failures", range(1, 30))
def test_a_pause_doubles_with_each_failure_and_has_an_end(failures):
    ceiling = min(LONGEST_WAIT, 2.0**failures)

    assert backoff(failures, lambda: 0.0) == ceiling / 2
    assert backoff(failures, lambda: 1.0) == ceiling
    assert ceiling / 2 <= backoff(failures) <= ceiling


def test_a_start_is_written_down_with_where_and_when_it_is_asked_after():
    world = World()
    world.hosts["first"].check_after = 7.0

    job = begun(world)

    assert (job.status, job.backend, job.attempt, job.lease) == (Status.PROCESSING, "first", 1, None)
    assert job.ticket is not None
    assert job.ticket.id == "first:job-1-1"
    assert job.due_at == world.time.now + timedelta(seconds=7) + GRACE
    assert letters(world) == [7.0]


def test_the_attempt_stands_in_the_row_before_the_host_is_asked():
    world = World()
    seen: list[Job] = []
    world.wire.always["first.start"] = lambda: seen.append(world.job())

    begun(world)

    assert [(job.attempt, job.backend, job.ticket) for job in seen] == [(1, "first", None)]
    assert seen[0].leased(world.time.now)


@pytest.mark.parametrize(("told", "shown"), [(0.0, 5), (0.6, 60), (1.0, 95), (-3.0, 5), (7.0, 95)])
def test_a_hosts_progress_is_shown_until_mastering_begins(told, shown):
    world = World()
    world.hosts["first"].answers = (Running(told, "Humming", check_after=30),)
    begun(world)

    world.turn()

    job = world.job()
    assert (job.progress, job.message) == (shown, "Humming")
    assert letters(world) == [30.0]


def test_a_longer_pause_than_a_queue_can_keep_is_kept_in_parts():
    world = World()
    world.hosts["first"].answers = (Running(0.5, check_after=2000), Finished())

    begun(world)
    world.run()

    assert settled(world) == [Status.COMPLETED]


def test_a_hint_makes_the_next_check_happen_now_and_breeds_no_others():
    world = World()
    world.hosts["first"].answers = NEVER
    begun(world)
    world.turn()

    for _ in range(3):
        world.queue.send(Message(job_id="job-1"))
        world.turn()

    assert world.hosts["first"].checks.total() == 4
    assert letters(world) == [30.0]


def test_a_hint_that_comes_when_the_music_is_ready_ends_the_wait():
    world = World()
    world.hosts["first"].answers = (*NEVER, Finished())
    begun(world)
    world.turn()

    world.queue.send(Message(job_id="job-1"))
    world.turn()

    assert world.job().status is Status.COMPLETED


def test_a_hint_does_not_shorten_the_pause_after_a_failure():
    world = World()
    world.hosts["first"].refusals = (NOT_NOW,)
    begun(world)

    world.queue.send(Message(job_id="job-1"))
    world.turn()

    assert world.hosts["first"].starts.total() == 1


@pytest.mark.parametrize("refusal", [PermanentError("refused", "Not this prompt."), None])
def test_a_refusal_ends_the_job_with_the_hosts_reason(refusal):
    world = World("first", "second")
    if refusal:
        world.hosts["first"].refusals = (refusal,)
    else:
        world.hosts["first"].answers = (Failed("refused", "Not this prompt.", transient=False),)

    world.submit()
    world.run()

    assert settled(world) == [Status.FAILED]
    fault = world.job().fault
    assert fault is not None
    assert (fault.code, fault.detail) == ("refused", "Not this prompt.")
    assert world.hosts["second"].starts.total() == 0


def test_a_check_that_says_no_for_good_ends_the_job():
    world = World()
    world.hosts["first"].answers = (PermanentError("gone", "The host forgot it."),)

    world.submit()
    world.run()

    assert settled(world) == [Status.FAILED]


def test_a_host_that_stops_answering_is_called_off_at_last_and_the_next_try_begins():
    world = World()
    world.hosts["first"].answers = (*[NOT_NOW] * MISSES, Finished())

    world.submit()
    world.run()

    assert settled(world) == [Status.COMPLETED]
    assert [trial.code for trial in world.job().trials] == ["throttled"]
    assert set(world.hosts["first"].canceled) == {"first:job-1-1"}
    assert world.hosts["first"].tickets == ["first:job-1-1", "first:job-1-2"]


@pytest.mark.parametrize(("audio", "code"), [(None, "audio_missing"), (b"noise", "audio_unusable")])
def test_a_host_without_usable_audio_is_tried_again_and_then_left(audio, code):
    world = World("first", "second")
    world.hosts["first"].audio = audio

    world.submit()
    world.run()

    assert settled(world) == [Status.COMPLETED]
    assert [trial.code for trial in world.job().trials] == [code] * 3
    assert world.job().backend == "second"


def test_a_host_that_this_deployment_does_not_have_is_passed_over():
    world = World("gone", "first")

    world.submit()
    world.run()

    assert settled(world) == [Status.COMPLETED]
    assert {trial.code for trial in world.job().trials} == {"unknown_backend"}


def test_an_interrupted_start_counts_as_a_failed_attempt():
    world = World()
    world.submit()
    world.conductor.leasing.claim("job-1", world.conductor._ready)  # a worker that took the job and died
    world.time.pass_by(LEASE.total_seconds())

    world.run()

    assert settled(world) == [Status.COMPLETED]
    assert [trial.code for trial in world.job().trials] == ["start_lost"]
    assert list(world.hosts["first"].starts) == ["job-1-2"]


def test_a_finished_job_has_four_files_peaks_a_price_and_its_times():
    world = World()
    world.hosts["first"].answers = (Running(0.5, check_after=30), Finished(cost_usd=0.25))

    world.submit()
    world.run()

    job = world.job()
    assert set(world.objects.files) == set(keys_of(job).values())
    assert job.audio is not None
    assert {format for format, file in job.audio.files.items() if file.signed} == {Format.WAV}
    assert job.cost.actual_usd == 0.25
    assert (job.timings.queued_s, job.timings.model_s) == (0.0, 30.0)
    assert (job.progress, job.ticket is None, job.lease) == (100, False, None)


@pytest.mark.parametrize("job_id", ["", "job-99"])
def test_there_is_nothing_to_do_for_a_job_that_is_not_there(job_id):
    assert World().conductor.step(job_id) is None


def test_there_is_nothing_to_do_for_a_job_that_is_settled():
    world = World()
    (job_id,) = world.submit()
    world.run()
    calls = len(world.wire.calls)

    assert world.conductor.step(job_id) is None
    assert world.wire.calls[calls:] == ["jobs.get"]


def test_a_step_that_breaks_frees_the_job_for_the_next_message():
    world = World()
    world.submit()
    broken = ValueError("Nobody planned for this.")
    world.hosts["first"].answers = (broken, Finished())
    world.turn()

    with pytest.raises(ValueError, match="Nobody planned for this"):
        world.conductor.step("job-1")
    world.conductor.step("job-1")

    assert world.job().status is Status.COMPLETED


def test_a_copy_of_a_message_breeds_no_check_of_a_host_that_does_not_answer():
    world = World()
    world.hosts["first"].answers = (NOT_NOW,)
    begun(world)
    world.turn()

    world.queue.send(Message(job_id="job-1"))
    world.turn()

    assert world.hosts["first"].checks.total() == 2
    assert len(letters(world)) == 1


def test_a_job_that_ended_but_could_not_be_settled_is_free_for_the_next_message():
    world = World()
    begun(world)
    broken = iter([True])

    def break_once() -> None:
        if next(broken, False):
            raise ValueError("Nobody planned for this.")

    world.wire.always["objects.remove"] = break_once

    with pytest.raises(ValueError, match="Nobody planned for this"):
        world.conductor.step("job-1")
    world.conductor.step("job-1")

    assert world.job().status is Status.COMPLETED
    assert world.job().due_at is None


def test_a_host_that_says_when_to_come_again_is_left_alone_until_then():
    world = World()
    world.hosts["first"].refusals = (TransientError("busy", "Full.", retry_after=120),)

    begun(world)

    assert letters(world) == [120.0]
