"""What callers are shown: links and how long they live, validators, moments."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.core.jobs import Job, Status
from lambdas.core.pieces import Fault
from lambdas.core.recordings import Format
from lambdas.core.views import Reader, Standing, View, etag, instant
from tests.fakes.examples import NOW, PIECE, a_finished_job, a_job
from tests.fakes.stores import MemoryObjects, Time

ORIGIN = "https://cadenza.example/v1"
HOUR = timedelta(hours=1)
SECONDS = st.integers(0, 86_399)


def render(job: Job, now: datetime = NOW, standing: Standing | None = None) -> View:
    return Reader(MemoryObjects(Time(now)), "bucket", HOUR).render(job, ORIGIN, now, standing)


def ends(link: str) -> datetime:
    return datetime.fromtimestamp(float(parse_qs(urlsplit(link).query)["until"][0]), UTC)


@pytest.mark.parametrize("status", list(Status))
def test_every_job_shows_the_same_fields_and_links_only_when_there_is_audio(status):
    done = a_finished_job()
    view = render(done if status is Status.COMPLETED else a_job(status=status))

    assert list(view) == list(render(done))
    assert (view["audio_url"] is not None) == (status is Status.COMPLETED)
    assert (view["peaks_url"] is not None) == (status is Status.COMPLETED)
    assert json.loads(json.dumps(view)) == view


def test_a_finished_job_says_where_its_audio_lies_and_what_it_measures():
    view = render(a_finished_job(piece=PIECE.but(format=Format.MP3)))

    assert view["file_key"] == "audio/1d/job-1/job-1.mp3"
    assert view["s3_uri"] == "s3://bucket/audio/1d/job-1/job-1.mp3"
    assert set(view["formats"]) == {"wav", "mp3", "flac", "ogg"}
    assert view["audio"]["loudness_lufs"] == -14.0
    assert view["urls"]["audio"] == f"{ORIGIN}/jobs/job-1/audio"


def test_a_failed_job_says_why_in_words_and_in_a_code():
    view = render(a_job().failed("refused", "Not this prompt.", NOW))

    assert view["error"] == Fault(code="refused", detail="Not this prompt.").model_dump()


@given(SECONDS)
def test_a_link_lives_for_half_an_hour_at_least_and_an_hour_at_most(second):
    now = NOW - timedelta(hours=12) + timedelta(seconds=second)

    view = render(a_finished_job(expires_at=NOW + timedelta(days=9)), now)

    assert HOUR / 2 <= ends(view["audio_url"]) - now <= HOUR
    assert view["audio_url_expires_at"] == instant(ends(view["audio_url"]))


@given(SECONDS)
def test_no_link_outlives_its_job(second):
    now = NOW + timedelta(seconds=second)
    job = a_finished_job()

    assert now <= ends(render(job, now)["audio_url"]) <= job.expires_at


def test_readers_within_the_same_half_hour_are_told_the_same():
    job = a_finished_job()

    first, second = render(job, NOW + timedelta(minutes=1)), render(job, NOW + timedelta(minutes=29))

    assert etag(first) == etag(second)
    assert etag(first) != etag(render(job, NOW + timedelta(minutes=31)))


def test_a_validator_changes_with_anything_a_reader_may_want_to_know():
    done = a_finished_job()
    told = [done, done.but(title="Hail"), done.but(favourite=True), done.but(job_id="job-2"), a_job()]

    assert len({etag(render(job)) for job in told}) == len(told)
    assert etag(render(a_job(), standing=Standing(2, 9.0))) != etag(render(a_job()))


def test_a_validator_is_strong_and_does_not_depend_on_who_signed_the_links():
    view = render(a_finished_job())

    assert etag(view) == etag({**view, "audio_url": "https://other", "peaks_url": "https://other"})
    assert etag(view).startswith('"')


def test_a_download_is_saved_under_the_songs_title():
    reader = Reader(MemoryObjects(Time(NOW)), "bucket", HOUR)

    link = reader.download(a_finished_job(title="Hail & rain"), "audio/x", Format.MP3, NOW)

    assert parse_qs(urlsplit(link).query)["filename"] == ["Hail & rain.mp3"]


@pytest.mark.parametrize(("wait", "seconds"), [(None, 1), (0.0, 1), (1.0, 1), (7.0, 4), (1000.0, 10)])
def test_asking_again_makes_sense_after_half_the_wait(wait, seconds):
    assert Standing(wait_s=wait).retry_after == seconds


def test_moments_are_told_in_milliseconds_of_utc():
    assert instant(datetime(2030, 1, 2, 3, 4, 5, 678901, UTC)) == "2030-01-02T03:04:05.678Z"
    assert instant(None) is None
