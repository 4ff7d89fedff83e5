"""Recordings over real HTTP: sent to the store by form, blended into a song, refused where they must be."""

from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np
import pytest

from local.cloud import LocalCloud
from tests.local.caller import Caller, View, refused
from tests.unit.hostile import SCRIPT
from tests.unit.recordings import FORMATS, bare_wav, encoded, song, tune
from tests.unit.signals import Samples, heard, sine, wav

RATE = 24_000  # Hz; what the two-track model takes and makes


def offered(api: Caller, data: bytes, content_type: str = "audio/wav", filename: str = "song.wav") -> View:
    body = {"filename": filename, "content_type": content_type, "bytes": len(data)}
    answer = api.http.post("/uploads", json=body)
    assert answer.status_code == 201, answer.text
    offer: View = answer.json()
    return offer


def send(offer: View, data: bytes, **changed: str) -> httpx.Response:
    """What a page does with the form that it was given."""
    fields = {**offer["fields"], **{name.replace("_", "-"): value for name, value in changed.items()}}
    with httpx.Client(trust_env=False, timeout=60) as page:
        return page.post(offer["url"], data=fields, files={"file": ("any name", data)})


def uploaded(api: Caller, data: bytes, content_type: str = "audio/wav", filename: str = "song.wav") -> View:
    """A track of the whole upload."""
    offer = offered(api, data, content_type, filename)
    assert send(offer, data).status_code == 204
    return {"upload_id": offer["upload_id"]}


def blended(api: Caller, tracks: Sequence[View], **body: Any) -> httpx.Response:
    return api.http.post("/generate", json={"tracks": list(tracks), **body})


def audio_of(job: View) -> Samples:
    with httpx.Client(trust_env=False, timeout=60) as stranger:
        file = heard(stranger.get(job["audio_url"]).content)
    assert file.rate == RATE
    return file.samples.astype(np.float64)


def likeness(one: Samples, other: Samples) -> float:
    return float((one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum()))


@pytest.fixture(scope="module")
def blend(api: Caller) -> View:
    """Seconds 5 to 13 of a stereo MP3 and the first of a mono FLAC, both louder or softer than the other."""
    first = encoded(FORMATS["MP3"][0], tune(20, 44_100) * 1.5, 44_100)
    second = encoded(FORMATS["FLAC"][0], sine(30, 48_000, 1234, 1) * 0.05, 48_000)
    tracks = [
        {**uploaded(api, first, "audio/mpeg", "Old tune.mp3"), "start_time": 5, "end_time": 13},
        {**uploaded(api, second, "audio/flac", "Whistle.flac"), "start_time": 2.5},
    ]
    answer = blended(api, tracks)
    assert answer.status_code == 202, answer.text
    return api.ended(answer.json())


def test_two_uploads_become_sixteen_seconds_of_their_mix(blend: View) -> None:
    first = np.pad(tune(8, RATE, 5.0).mean(axis=0, keepdims=True), ((0, 0), (0, 8 * RATE)))
    second = sine(16, RATE, 1234, 1)  # 2.5 s are whole periods

    music = audio_of(blend)

    assert music.shape == (1, 16 * RATE)
    expected = first / np.sqrt(np.mean(first**2)) + second / np.sqrt(np.mean(second**2))
    assert likeness(music, expected) > 0.98


def test_a_blend_says_what_it_is_made_of_and_that_it_is_a_mock(blend: View) -> None:
    assert (blend["status"], blend["model"], blend["mock"], blend["backend"]) == (
        "completed", "cascade", True, "mock",
    )  # fmt: skip
    assert blend["title"] == "Old tune × Whistle"
    assert [track["start_time"] for track in blend["parameters"]["tracks"]] == [5.0, 2.5]
    assert "uploads/" not in str(blend["parameters"])
    assert blend["audio"] | {"loudness_lufs": None, "true_peak_dbtp": None} == {
        "seconds": 16.0, "sample_rate": RATE, "channels": 1, "loudness_lufs": None, "true_peak_dbtp": None,
    }  # fmt: skip


def test_the_audio_of_an_own_job_is_a_track(api: Caller, blend: View, song_of_three: View) -> None:
    tracks = [{"job_id": blend["job_id"]}, {"job_id": song_of_three["job_id"], "start_time": 1}]

    again = api.ended(blended(api, tracks, duration=4).json())

    assert again["status"] == "completed"
    assert audio_of(again).shape == (1, 4 * RATE)


@pytest.fixture(scope="module")
def song_of_three(api: Caller) -> View:
    return api.ended(api.make("a song to build on", duration=3))


def test_the_store_takes_what_was_announced_and_nothing_else(api: Caller) -> None:
    data = wav(sine(1, 8000, 440, 1), 8000)
    offer = offered(api, data)

    assert send(offer, data + b"!").status_code == 400
    assert send(offer, b"").status_code == 400
    assert send(offer, data, Content_Type="text/html").status_code == 403
    assert send(offer, data, key="audio/1d/mine/mine.wav").status_code == 403
    assert send(offer, data).status_code == 204


def test_an_upload_is_what_its_answer_says_and_lies_where_its_owner_cannot_tell(
    api: Caller, cloud: LocalCloud
) -> None:
    offer = offered(api, b"x" * 100, filename="Grüße.wav")

    folder, owner, name = offer["fields"]["key"].split("/")
    assert (folder, len(owner), name) == ("uploads", 32, offer["upload_id"])
    assert offer["filename"] == "Grüße.wav"
    assert offer["expires_at"] < offer["deleted_at"]
    assert offer["url"].startswith(cloud.endpoint)


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"bytes": 50 * 2**20 + 1}, "/bytes"),
        ({"bytes": 0}, "/bytes"),
        ({"content_type": "image/png"}, "/content_type"),
        ({"filename": "x" * 256}, "/filename"),
        ({"key": "uploads/x"}, "/key"),
    ],
)
def test_what_cannot_be_uploaded_is_not_offered(api: Caller, wrong: View, pointer: str) -> None:
    body = {"filename": "a.wav", "content_type": "audio/wav", "bytes": 100, **wrong}

    refused(api.http.post("/uploads", json=body), 422, "invalid_request", pointer)


def test_an_unknown_and_an_empty_upload_are_refused_before_anything_is_made(api: Caller) -> None:
    waiting = {"upload_id": offered(api, b"x")["upload_id"]}
    unknown = {"upload_id": "00000000-0000-4000-8000-000000000000"}

    refused(blended(api, [unknown, waiting]), 422, "invalid_request", "/tracks/0/upload_id")
    problem = refused(blended(api, [waiting, unknown]), 422, "invalid_request", "/tracks/0/upload_id")

    assert "yet" in problem["detail"]


def test_a_model_that_takes_no_recordings_names_those_that_do(api: Caller, song_of_three: View) -> None:
    own = {"job_id": song_of_three["job_id"]}

    problem = refused(blended(api, [own, own], model="mock"), 422, "invalid_request", "/tracks")
    tune = refused(api.generate("x", audio={**own, "role": "melody"}), 422, "invalid_request", "/audio/role")
    late = refused(
        blended(api, [own, {**own, "start_time": 3}]), 422, "invalid_request", "/tracks/1/start_time"
    )

    assert "these do: cascade" in problem["detail"]
    assert "no model of this deployment" in tune["detail"]
    assert "3.0 s" in late["detail"]


@pytest.mark.parametrize(
    ("hostile", "told"),
    [
        (SCRIPT.format(path="/etc/passwd").encode(), "is a playlist"),
        (song("MP4 of AAC")[:9000], "is damaged"),
        (bare_wav(channels=65535), "no recording does"),
    ],
)
def test_a_hostile_upload_fails_its_job_with_a_reason_and_harms_nothing_else(
    api: Caller, hostile: bytes, told: str
) -> None:
    good, bad = uploaded(api, song("WAV of 16 bits")), uploaded(api, hostile, "audio/mp4")

    job = api.ended(blended(api, [good, bad]).json())

    assert (job["status"], job["error"]["code"]) == ("failed", "input_unusable")
    assert bad["upload_id"] in job["error"]["detail"]
    assert told in job["error"]["detail"]
    assert api.ended(blended(api, [good, good], duration=1).json())["status"] == "completed"


def test_a_start_past_the_end_of_an_upload_fails_its_job_with_both_numbers(api: Caller) -> None:
    good = uploaded(api, song("WAV of 16 bits"))

    job = api.ended(blended(api, [good, {**good, "start_time": 40}]).json())

    assert "starts at 40 s, but the recording has 3.0 s" in job["error"]["detail"]
