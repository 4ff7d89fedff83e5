"""Pieces longer than their host makes at once: segment after segment, each going on from the one before."""

import pytest

from lambdas.core.conducting import REMAKES
from lambdas.core.errors import UnusableAudio
from lambdas.core.jobs import Job, Status
from lambdas.core.ports import Failed, Finished, Running
from lambdas.core.segments import seed
from tests.fakes.stories import COLD, LONG, NOT_NOW
from tests.fakes.world import REQUEST, World, settled


def world_of_segments(*chain: str, longest: float = 30.0) -> World:
    world = World(*chain)
    world.hosts["first"].longest = longest
    return world


def finished(world: World) -> Job:
    """The only job, submitted and completed."""
    (job_id,) = world.submit(LONG)
    world.run()
    assert settled(world) == [Status.COMPLETED]
    return world.job(job_id)


def test_the_segments_become_one_recording_in_their_order():
    world = world_of_segments()

    job = finished(world)

    wav = world.objects.files[f"audio/1d/{job.job_id}/{job.job_id}.wav"]
    assert wav.split(b"|")[2] == b"0-27.5:rawjob-1-1+17.5-45:rawjob-1-2"


def test_each_segment_hears_the_end_of_the_one_before_and_has_a_seed_of_its_own():
    world = world_of_segments()
    heard = []
    world.hosts["first"].listen = lambda given: heard.append(world.objects.fetch(given.url))

    finished(world)

    first, second = world.hosts["first"].works
    assert (first.inputs, first.piece.duration, first.piece.seed) == ((), 27.5, 7)
    assert [(given.role, given.seconds) for given in second.inputs] == [("continue", 10.0)]
    assert heard == [b"ready:rawjob-1-1"]
    assert (second.piece.duration, second.piece.seed) == (27.5, seed(7, 1))


def test_five_minutes_are_fifteen_segments_and_cost_what_they_cost_together():
    world = world_of_segments()

    (job_id,) = world.submit(LONG.model_copy(update={"duration": 300.0}))
    world.run()

    assert settled(world) == [Status.COMPLETED]
    assert world.hosts["first"].starts.total() == 15
    assert world.job(job_id).cost.actual_usd == 7.5


@pytest.mark.parametrize(("answers", "tries"), [((COLD,), 2), ((NOT_NOW,) * 8, 2), ((COLD, COLD), 3)])
def test_a_segment_that_fails_is_made_again_alone(answers, tries):
    world = world_of_segments()
    world.hosts["first"].answers = (Finished(), *answers, Finished())

    job = finished(world)

    durations = [work.piece.seed for work in world.hosts["first"].works]
    assert durations == [7] + [seed(7, 1)] * tries
    assert len(job.trials) == tries - 1


def test_a_piece_goes_on_where_it_was_on_a_host_that_makes_more_at_once():
    world = world_of_segments("first", "second")
    world.hosts["first"].answers = (Finished(cost_usd=0.25), COLD)

    job = finished(world)

    (rest,) = world.hosts["second"].works
    assert rest.piece.duration == 37.5
    assert [given.seconds for given in rest.inputs] == [20.0]
    assert (job.backend, job.cost.actual_usd) == ("second", 0.75)


def test_the_strikes_of_one_segment_are_forgotten_with_the_next():
    world = world_of_segments()
    world.hosts["first"].answers = (COLD, COLD, Finished(), COLD, COLD, Finished())

    job = finished(world)

    assert len(job.trials) == 4
    assert {trial.backend for trial in job.trials} == {"first"}


def test_progress_counts_what_is_there():
    world = world_of_segments()
    world.hosts["first"].answers = (Running(0.5), Finished(), Running(0.5), Finished())
    seen = []
    world.wire.always["jobs.replace"] = lambda: seen.append(world.job().progress)

    finished(world)

    assert [each for each in (31, 61, 81, 95, 100) if each in (*seen, 100)] == [31, 61, 81, 95, 100]


@pytest.mark.parametrize(("audio", "code"), [(b"short", "audio_unusable"), (None, "audio_missing")])
def test_a_segment_that_is_too_short_or_not_there_goes_to_another_host(audio, code):
    world = world_of_segments("first", "second")
    world.hosts["first"].audio = audio

    job = finished(world)

    assert [trial.code for trial in job.trials] == [code] * 3
    assert job.backend == "second"


def test_a_segment_that_cannot_be_gone_on_from_is_made_again():
    world = world_of_segments()
    unusable = iter([UnusableAudio("Nothing but noise.")])

    def spoil() -> None:
        if error := next(unusable, None):
            raise error

    world.wire.always["preparing.prepare"] = spoil

    job = finished(world)

    assert [trial.code for trial in job.trials] == ["segment_unusable"]
    assert [work.piece.seed for work in world.hosts["first"].works] == [7, 7, seed(7, 1)]


def test_a_piece_whose_segments_can_never_be_gone_on_from_fails_before_it_costs_much():
    world = world_of_segments()

    def spoil() -> None:
        raise UnusableAudio("Nothing but noise.")

    world.wire.always["preparing.prepare"] = spoil

    (job_id,) = world.submit(LONG)
    world.run()

    assert settled(world) == [Status.FAILED]
    fault = world.job(job_id).fault
    assert fault is not None
    assert (fault.code, world.hosts["first"].starts.total()) == ("segment_unusable", REMAKES + 1)
    assert "Nothing but noise." in fault.detail


def test_a_piece_that_cannot_be_continued_is_for_a_host_that_makes_it_at_once():
    world = world_of_segments("first", "second", longest=5.0)

    (job_id,) = world.submit(REQUEST)
    world.run()

    assert settled(world) == [Status.COMPLETED]
    job = world.job(job_id)
    assert (job.backend, job.attempt) == ("second", 1)
    assert [(trial.backend, trial.code) for trial in job.trials] == [("first", "too_long")]
    assert world.hosts["first"].starts.total() == 0


def test_a_piece_that_nobody_can_make_so_long_fails_and_says_so():
    world = world_of_segments(longest=5.0)

    (job_id,) = world.submit(REQUEST)
    world.run()

    fault = world.job(job_id).fault
    assert fault is not None
    assert fault.code == "no_backend_available"
    assert "at most 5 s" in fault.detail


def test_a_failed_attempt_that_cost_something_is_paid_for():
    world = World()
    world.hosts["first"].answers = (Failed("cold", "No.", transient=True, cost_usd=0.125), Finished(0.25))

    (job_id,) = world.submit()
    world.run()

    assert world.job(job_id).cost.actual_usd == 0.375
