"""Recordings in requests: whose they are, which models take them, what is refused before anything is made."""

from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import pytest
from pydantic import ValidationError

from lambdas.core.models import CASCADE, MOCK, Intake
from lambdas.core.principals import Principal
from lambdas.core.requests import GenerateRequest, UploadRequest
from lambdas.core.views import Reader
from tests.fakes.examples import AUDIO, NOW, a_finished_job, a_job
from tests.unit.test_submitting import ME, YOU, Desk, refused

FOLLOWER = replace(MOCK, id="follower", inputs=MappingProxyType({"melody": Intake(32_000, 1, 30.0)}))
MODELS = {"mock": MOCK, "cascade": CASCADE, "follower": FOLLOWER}
WAV = UploadRequest(filename="Regen über Köln.wav", content_type="audio/wav", bytes=100)


def a_desk() -> Desk:
    return Desk(MODELS)


def uploaded(desk: Desk, owner: Principal = ME, filename: str = "one.wav", data: bytes | None = b"R") -> str:
    offer = desk.uploads.offer(WAV.model_copy(update={"filename": filename}), owner)
    if data is not None:
        assert desk.objects.post(offer.form, data)
    return offer.upload.upload_id


def two_tracks(desk: Desk) -> list[dict[str, Any]]:
    return [{"upload_id": uploaded(desk, filename=name)} for name in ("one.wav", "two.mp3")]


def test_an_upload_lies_under_a_key_that_its_owner_cannot_choose():
    desk = a_desk()

    mine, yours = (desk.uploads.offer(WAV, owner) for owner in (ME, YOU))

    assert mine.upload.key.split("/")[0] == "uploads"
    assert [len(each.upload.key.split("/")[1]) for each in (mine, yours)] == [32, 32]
    assert mine.upload.key.split("/")[1] != yours.upload.key.split("/")[1]
    assert mine.upload.key.endswith(f"/{mine.upload.upload_id}")
    assert not desk.objects.post(replace(mine.form, fields={**mine.form.fields, "key": "raw/x"}), b"R")


@pytest.mark.parametrize(("size", "taken"), [(0, False), (1, True), (100, True), (101, False)])
def test_a_form_takes_as_many_bytes_as_were_announced(size: int, taken: bool) -> None:
    desk = a_desk()

    assert desk.objects.post(desk.uploads.offer(WAV, ME).form, bytes(size)) is taken


def test_a_form_is_good_for_a_quarter_of_an_hour_and_the_file_for_a_day():
    desk = a_desk()
    offer = desk.uploads.offer(WAV, ME)

    assert (offer.open_until, offer.kept_until) == (NOW + timedelta(minutes=15), NOW + timedelta(days=1))
    desk.time.pass_by(15 * 60)
    assert not desk.objects.post(offer.form, b"R")


@pytest.mark.parametrize(
    "wrong",
    [
        {"bytes": 0},
        {"bytes": 50 * 2**20 + 1},
        {"bytes": "100"},
        {"content_type": "text/html"},
        {"content_type": "audio/wav; charset=x"},
        {"filename": ""},
        {"filename": "x" * 256},
        {"filename": "\x00\n"},
        {"key": "uploads/mine"},
    ],
)
def test_an_upload_that_cannot_be_is_not_offered(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        UploadRequest.model_validate(WAV.model_dump() | wrong)


def test_two_uploads_become_a_job_named_after_them():
    desk = a_desk()
    first, second = two_tracks(desk)

    (job,) = desk.submit(prompt=None, tracks=[{**first, "start_time": 4, "end_time": 12.5}, second]).jobs

    assert job.piece.model == "cascade"
    assert job.piece.tracks is not None
    assert [(each.upload_id, each.start_time, each.end_time) for each in job.piece.tracks] == [
        (first["upload_id"], 4.0, 12.5),
        (second["upload_id"], 0.0, None),
    ]
    assert all(each.key in desk.objects.files for each in job.piece.tracks)
    assert (job.piece.prompt, job.piece.effective_prompt, job.piece.duration) == ("one × two", "", 16.0)


def test_what_is_shown_of_tracks_is_not_where_they_lie():
    desk = a_desk()
    first, second = two_tracks(desk)
    (job,) = desk.submit(tracks=[{**first, "start_time": 4}, second]).jobs

    view = Reader(desk.objects, "bucket", timedelta(hours=1)).render(job, "https://cadenza.example/v1", NOW)

    assert view["parameters"]["tracks"] == [{**first, "start_time": 4.0}, {**second, "start_time": 0.0}]
    assert "uploads/" not in str(view)


def test_a_finished_jobs_audio_is_a_track_and_a_reference():
    desk = a_desk()
    desk.jobs.insert(a_finished_job("song"))
    track = {"job_id": "song", "start_time": 29.0}

    (blend,) = desk.submit(tracks=[track, {"job_id": "song"}]).jobs
    (tune,) = desk.submit(audio={"job_id": "song", "role": "melody"}).jobs

    assert blend.piece.tracks is not None
    assert {each.key for each in blend.piece.tracks} == {"audio/1d/song/song.wav"}
    assert tune.piece.audio is not None
    assert (tune.piece.model, tune.piece.audio.role) == ("follower", "melody")


@pytest.mark.parametrize(
    ("job", "told"),
    [
        (None, "no such job"),
        (a_finished_job("song", owner="you"), "no such job"),
        (a_finished_job("song", deleted=True), "no such job"),
        (a_finished_job("song", expires_at=NOW), "no such job"),
        (a_job("song"), "queued"),
        (a_job("song").failed("refused", "No.", NOW), "failed"),
    ],
)
def test_a_job_without_audio_for_the_caller_is_refused(job: Any, told: str) -> None:
    desk = a_desk()
    if job is not None:
        desk.jobs.insert(job)

    error = refused(lambda: desk.submit(tracks=[{"job_id": "song"}, {"job_id": "song"}]))

    assert [each.pointer for each in error.errors] == ["/tracks/0/job_id"]
    assert told in error.detail


def test_anothers_an_unknown_and_an_old_upload_are_refused_alike():
    desk = a_desk()
    first, _ = two_tracks(desk)
    refusals = []

    for other in (uploaded(desk, YOU), "never-was"):
        error = refused(lambda other=other: desk.submit(tracks=[first, {"upload_id": other}]))  # type: ignore[misc]
        refusals.append((error.code, error.detail, error.errors))
    desk.time.pass_by(24 * 3600)
    old = refused(lambda: desk.submit(audio={**first, "role": "melody"}))

    assert refusals[0] == refusals[1]
    assert [each.pointer for each in refusals[0][2]] == ["/tracks/1/upload_id"]
    assert (old.detail, old.errors[0].pointer) == (refusals[0][1], "/audio/upload_id")
    assert desk.sent == []


def test_an_upload_that_has_not_come_yet_is_refused_as_that():
    desk = a_desk()
    waiting = {"upload_id": uploaded(desk, data=None)}

    error = refused(lambda: desk.submit(tracks=[waiting, waiting]))

    assert "yet" in error.detail


def test_a_start_past_the_end_of_a_jobs_audio_is_refused_with_both_numbers():
    desk = a_desk()
    desk.jobs.insert(a_finished_job("song"))

    error = refused(lambda: desk.submit(audio={"job_id": "song", "role": "melody", "start_time": 30}))

    assert error.errors[0].pointer == "/audio/start_time"
    assert "starts at 30 s, but the recording has 30.0 s" in error.detail


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ({}, "one of them"),
        ({"upload_id": "a", "job_id": "b"}, "one of them"),
        ({"upload_id": "../../audio/x"}, "pattern"),
        ({"upload_id": ""}, "pattern"),
        ({"upload_id": "a", "start_time": -0.1}, "greater than or equal to 0"),
        ({"upload_id": "a", "start_time": float("nan")}, "finite"),
        ({"upload_id": "a", "start_time": float("inf")}, "less than|finite"),
        ({"upload_id": "a", "start_time": "1"}, "valid number"),
        ({"upload_id": "a", "start_time": 5, "end_time": 5}, "at least a second after"),
        ({"upload_id": "a", "start_time": 5, "end_time": 4}, "at least a second after"),
        ({"upload_id": "a", "end_time": 1201}, "less than or equal to 1200"),
        ({"upload_id": "a", "key": "audio/x"}, "not permitted"),
    ],
)
def test_a_part_that_cannot_be_is_no_request(part: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        GenerateRequest.model_validate({"tracks": [part, {"upload_id": "b"}]})


@pytest.mark.parametrize("count", [0, 1, 3])
def test_tracks_are_two(count: int) -> None:
    with pytest.raises(ValidationError, match="tracks"):
        GenerateRequest.model_validate({"tracks": [{"upload_id": "a"}] * count})


def test_a_key_that_met_a_missing_upload_is_free_for_the_right_one():
    desk = a_desk()
    tracks = two_tracks(desk)
    refused(lambda: desk.submit(key="k", tracks=[tracks[0], {"upload_id": "gone"}]))

    assert len(desk.submit(key="k", tracks=tracks).jobs) == 1


def test_a_key_replays_its_answer_when_the_uploads_are_gone():
    desk = a_desk()
    tracks = two_tracks(desk)
    first = desk.submit(key="k", tracks=tracks)
    desk.objects.files.clear()

    assert desk.submit(key="k", tracks=tracks).answer == first.answer


@pytest.mark.parametrize("other", [{"start_time": 1}, {"end_time": 9}, {"job_id": "song", "upload_id": None}])
def test_other_tracks_are_another_body_and_another_song(other: dict[str, object]) -> None:
    desk = a_desk()
    desk.jobs.insert(a_finished_job("song"))
    first, second = two_tracks(desk)
    changed = {name: value for name, value in {**second, **other}.items() if value is not None}
    (once,) = desk.submit(key="k", tracks=[first, second], seed=1).jobs
    desk.jobs.replace(once.begun("first", NOW).completed(AUDIO, 0.5, 1.5, NOW).settled())
    desk.ledger.put(desk.cached_as(once), once.job_id, once.expires_at)

    assert refused(lambda: desk.submit(key="k", tracks=[first, changed])).code == "idempotency_mismatch"
    assert desk.submit(tracks=[first, changed], seed=1).jobs[0].copy_of is None
    assert desk.submit(tracks=[first, second], seed=1).jobs[0].copy_of == once.job_id
