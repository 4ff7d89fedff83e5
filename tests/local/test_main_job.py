"""The main job over real HTTP: the command that the README shows, and the music that comes of it."""

import hashlib
import io
import json
import re
import shlex
import subprocess
import wave
from dataclasses import dataclass

import av
import httpx
import pytest

from local.cloud import LocalCloud
from tests.local.caller import Caller, View

COMMAND = (
    "curl -s -i -X POST {api}/generate -d "
    '\'{{"prompt":"upbeat electronic dance music with heavy bass","duration":30,"genre":"electronic"}}\''
)
NAME = "upbeat electronic dance music with heavy bass"


@dataclass(frozen=True)
class Told:
    """What the command printed: a status line, headers by lower-case name, a job."""

    status: str
    headers: dict[str, str]
    job: View


@pytest.fixture(scope="module")
def told(cloud: LocalCloud) -> Told:
    command = shlex.split(COMMAND.format(api=cloud.api_url))
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    head, _, body = printed.partition("\n\n")
    status, *lines = head.splitlines()
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Told(status, headers, json.loads(body))


@pytest.fixture(scope="module")
def piece(api: Caller, told: Told) -> View:
    return api.ended(told.job)


def fetched(url: str, **headers: str) -> httpx.Response:
    with httpx.Client(trust_env=False, timeout=60) as stranger:
        return stranger.get(url, headers=headers)


def seconds(data: bytes) -> float:
    with av.open(io.BytesIO(data), "r") as container:
        frames = [(frame.samples, frame.sample_rate) for frame in container.decode(audio=0)]
    return sum(samples for samples, _ in frames) / frames[0][1]


def test_the_readmes_curl_line_is_accepted_as_a_job(told: Told, cloud: LocalCloud) -> None:
    assert " 202 " in f"{told.status} "
    assert told.headers["content-type"] == "application/json"
    assert (
        told.headers["location"] == f"{cloud.api_url}/jobs/{told.job['job_id']}" == told.job["urls"]["self"]
    )
    assert int(told.headers["retry-after"]) >= 1
    assert told.job["status"] == "queued"
    assert told.job["effective_prompt"] == f"electronic music: {NAME}"
    assert told.job["parameters"]["duration"] == 30
    assert 0 <= told.job["parameters"]["seed"] < 2**32


def test_a_job_is_queued_then_processing_with_progress_then_completed(api: Caller) -> None:
    looks = api.life(api.make("[[slow:3]] rain"))

    assert [look["status"] for look in looks] == sorted(
        (look["status"] for look in looks), key=["queued", "processing", "completed"].index
    )
    assert looks[0]["queue_position"] is not None
    playing = [look for look in looks if look["message"] == "Playing slowly, as asked"]
    assert playing
    assert all(look["status"] == "processing" and 0 < look["progress"] < 100 for look in playing)
    progress = [look["progress"] for look in looks]
    assert progress == sorted(progress)
    assert (looks[-1]["status"], looks[-1]["progress"], looks[-1]["message"]) == ("completed", 100, "Ready")


def test_the_link_downloads_a_valid_wav_of_thirty_seconds(piece: View) -> None:
    answer = fetched(piece["audio_url"])

    assert answer.headers["content-type"] == "audio/wav"
    with wave.open(io.BytesIO(answer.content)) as wav:
        assert (wav.getnframes(), wav.getframerate(), wav.getnchannels()) == (30 * 44_100, 44_100, 2)
        assert any(wav.readframes(44_100))
    assert piece["audio"]["seconds"] == 30.0
    assert piece["audio"]["loudness_lufs"] == pytest.approx(-14, abs=0.5)


@pytest.mark.parametrize(
    ("format", "type"), [("mp3", "audio/mpeg"), ("flac", "audio/flac"), ("ogg", "audio/ogg")]
)
def test_the_audio_address_leads_to_each_format_under_its_name(
    api: Caller, piece: View, format: str, type: str
) -> None:
    redirect = api.http.get(f"/jobs/{piece['job_id']}/audio?format={format}")
    audio = fetched(redirect.headers["location"])

    assert (redirect.status_code, redirect.content) == (302, b"")
    assert redirect.headers["cache-control"] == "no-store"
    assert audio.headers["content-type"] == type
    assert f'attachment; filename="{NAME}.{format}"' in audio.headers["content-disposition"]
    assert seconds(audio.content) == pytest.approx(30.0, abs=0.06)
    told = piece["formats"][format]
    assert (len(audio.content), hashlib.sha256(audio.content).hexdigest()) == (told["bytes"], told["sha256"])


def test_without_a_format_the_audio_address_leads_to_the_jobs_own(api: Caller, piece: View) -> None:
    redirect = api.http.get(f"/jobs/{piece['job_id']}/audio")

    audio = fetched(redirect.headers["location"], Range="bytes=0-11")

    assert audio.content[:4] + audio.content[8:] == b"RIFFWAVE"


def test_a_part_of_the_link_can_be_asked_for(piece: View) -> None:
    total = piece["formats"]["wav"]["bytes"]

    part = fetched(piece["audio_url"], Range="bytes=1000-1999")

    assert (part.status_code, len(part.content)) == (206, 1000)
    assert part.headers["content-range"] == f"bytes 1000-1999/{total}"


def test_a_link_that_was_changed_is_refused(piece: View) -> None:
    longer = re.sub(r"X-Amz-Expires=\d+", "X-Amz-Expires=600000", piece["audio_url"])

    assert fetched(longer).status_code == 403


def test_the_peaks_draw_the_whole_piece(piece: View) -> None:
    peaks = fetched(piece["peaks_url"])

    assert peaks.headers["content-type"] == "application/json"
    assert peaks.json()["length"] * peaks.json()["samples_per_pixel"] >= 30 * 44_100
    assert max(peaks.json()["data"]) > 0
