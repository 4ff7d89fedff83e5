"""A job's transitions: what each may change, what none may, and that a row survives its journey."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lambdas.core.cache import cache_key
from lambdas.core.errors import RequestError, Superseded
from lambdas.core.jobs import GRACE, STRIKES, Job, Status, keys_of, raw_key
from lambdas.core.pieces import Lease, Ticket
from lambdas.core.recordings import Format
from tests.fakes.examples import AUDIO, HOOK, NOW, PIECE, a_finished_job, a_job

LATER = NOW + timedelta(seconds=5)
HELD = a_job().claimed("worker", NOW + timedelta(minutes=2))


@pytest.mark.parametrize(
    "job",
    [
        a_job(webhook=HOOK, title="ü 🎵", variations=("job-1", "job-2"), copy_of="job-0"),
        HELD.begun("first", NOW).started(Ticket(id="t", check_after=2.5), LATER),
        a_job().begun("first", NOW).struck("cold", "Starting up.", STRIKES),
        a_job().failed("refused", "No.", NOW),
        a_finished_job(),
    ],
    ids=["queued", "started", "struck", "failed", "finished"],
)
def test_a_job_survives_being_written_and_read(job):
    assert Job.model_validate_json(job.model_dump_json(exclude_defaults=True)) == job


def test_a_row_of_a_newer_version_is_refused_without_its_callers_words():
    job = json.loads(a_job().model_dump_json())
    job["piece"] |= {"refrain": "my heart, unheard"}

    with pytest.raises(ValidationError, match="refrain") as caught:
        Job.model_validate_json(json.dumps(job))

    assert "heart" not in str(caught.value)


@given(st.lists(st.floats(-10, 200), max_size=10))
def test_progress_never_goes_back_and_only_a_finished_job_shows_a_hundred(steps):
    job, seen = a_job().begun("first", NOW), [0]
    for step in steps:
        job = job.progressed(round(step), "…")
        seen.append(job.progress)

    assert seen == sorted(seen)
    assert seen[-1] <= 99
    assert job.completed(AUDIO, 0.1, 0.1, NOW).progress == 100


@pytest.mark.parametrize("status", list(Status))
def test_only_three_states_are_terminal(status):
    assert status.terminal == (status in (Status.COMPLETED, Status.FAILED, Status.CANCELED))


@pytest.mark.parametrize("ended", [a_finished_job(), a_job().failed("x", "X.", NOW), a_job().canceled(NOW)])
def test_what_has_ended_cannot_be_canceled(ended):
    with pytest.raises(RequestError) as refused:
        ended.canceled(LATER)

    assert refused.value.code == "already_terminal"


def test_what_is_canceled_has_ended_and_is_due_at_once():
    canceled = a_job().canceled(LATER)

    assert (canceled.status, canceled.completed_at, canceled.due_at) == (Status.CANCELED, LATER, LATER)


def test_what_is_erased_has_ended_and_is_due_at_once():
    pending, done = a_job().erased(LATER), a_finished_job().erased(LATER)

    assert (pending.status, pending.deleted, pending.due_at) == (Status.CANCELED, True, LATER)
    assert (done.status, done.deleted, done.due_at) == (Status.COMPLETED, True, LATER)


@pytest.mark.parametrize(
    "job",
    [
        a_job(),
        HELD.but(lease=Lease(holder="other", until=LATER)),
        HELD.canceled(NOW),
        HELD.erased(NOW),
        HELD.failed("internal_error", "…", NOW),
    ],
    ids=["nobody's", "another's", "canceled", "erased", "failed"],
)
def test_a_worker_may_not_write_to_a_job_that_is_not_its_own_any_more(job):
    with pytest.raises(Superseded):
        job.held_by("worker")


def test_a_worker_may_write_to_its_own_job_though_it_was_renamed():
    renamed = HELD.but(title="Hail", version=7)

    assert renamed.held_by("worker") is renamed


def test_a_lease_ends():
    assert HELD.leased(NOW)
    assert not HELD.leased(NOW + timedelta(minutes=2))
    assert HELD.due_at == NOW + timedelta(minutes=2) + GRACE


def test_each_attempt_is_written_down_before_anything_starts_and_has_its_own_place():
    first = a_job().begun("first", LATER)
    again = first.struck("cold", "Starting up.").begun("second", LATER + timedelta(hours=1))

    assert first.start_lost
    assert (again.attempt, again.backend, again.started_at) == (2, "second", LATER)
    assert again.timings.queued_s == 5.0
    assert raw_key(again, 1) != raw_key(again, 2)
    assert not again.started(Ticket(id="t"), LATER).start_lost


def test_files_lie_by_how_long_they_are_kept():
    keys = keys_of(a_job(retention_days=30))

    assert set(keys) == {*Format, "peaks"}
    assert all(key.startswith("audio/30d/job-1/") for key in keys.values())
    assert keys["mp3"] == "audio/30d/job-1/job-1.mp3"


def test_the_same_music_for_the_same_owner_has_one_place_in_the_cache():
    assert cache_key("me", PIECE) == cache_key("me", PIECE.but(format=Format.MP3))
    assert cache_key("me", PIECE) == cache_key(
        "me", PIECE.but(prompt="folk music: rain on a tin roof", genre=None)
    )


@pytest.mark.parametrize(
    "other",
    [
        PIECE.but(seed=43), PIECE.but(duration=10.5), PIECE.but(effective_prompt="hail"), PIECE.but(bpm=90.0),
        PIECE.but(model_revision="2"), PIECE.but(model="other"), PIECE.but(key="C"),
        PIECE.but(instrumental=True),
    ],
)  # fmt: skip
def test_other_music_has_another_place_in_the_cache(other):
    assert cache_key("me", other) != cache_key("me", PIECE)


def test_another_owner_has_another_cache():
    assert cache_key("you", PIECE) != cache_key("me", PIECE)
