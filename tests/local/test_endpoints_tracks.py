"""Two uploads become a song by the two-track model's server behind the emulated SageMaker, in each mode.

Every IAM policy is enforced, so that a right that someone on the way lacks stops the song.
"""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from local.checkpoints import CASCADE, Checkpoint
from local.cloud import LocalCloud
from local.hosting import MODES, Hosting
from tests.local import tiny_models
from tests.local.caller import Caller, View
from tests.unit.signals import heard, sine, wav

RATE, SECONDS = 24_000, 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("endpoints-of-tracks")


@pytest.fixture(scope="module")
def checkpoint(folder: Path) -> Checkpoint:
    return tiny_models.checkpoint(CASCADE, folder / "checkpoint")


@pytest.fixture(scope="module")
def address(folder: Path, checkpoint: Checkpoint) -> Iterator[str]:
    with tiny_models.served(checkpoint, folder) as url:
        yield url


@pytest.fixture(scope="module", params=MODES)
def hosted(
    request: pytest.FixtureRequest, folder: Path, checkpoint: Checkpoint, address: str
) -> Iterator[Caller]:
    hosting = Hosting(checkpoint, request.param)
    cloud = LocalCloud(
        folder / "cloud",
        auth=True,
        context=hosting.context(),
        containers=hosting.containers(address),
    )
    with cloud, Caller(cloud.api_url) as api:
        yield api


def upload(api: Caller, data: bytes) -> View:
    """A track of the whole recording."""
    announced = {"filename": "a song.wav", "content_type": "audio/wav", "bytes": len(data)}
    offer = api.http.post("/uploads", json=announced).json()
    with httpx.Client(trust_env=False, timeout=60) as page:
        sent = page.post(offer["url"], data=offer["fields"], files={"file": ("any name", data)})
    assert sent.status_code == 204, sent.text
    return {"upload_id": offer["upload_id"]}


def test_two_uploads_become_sixteen_seconds_by_the_model_behind_the_endpoint(hosted: Caller) -> None:
    tracks = [upload(hosted, wav(sine(18, RATE, pitch, 1), RATE)) for pitch in (440, 660)]

    asked = hosted.http.post("/generate", json={"tracks": tracks})
    assert asked.status_code == 202, asked.text
    job = hosted.ended(asked.json())

    assert (job["status"], job["backend"], job["model"], job["mock"]) == (
        "completed", "sagemaker", CASCADE, False,
    )  # fmt: skip
    assert job["model_revision"].startswith("sha256:")
    assert job["report"]["distance_db"] > 0
    with httpx.Client(trust_env=False, timeout=60) as stranger:
        audio = heard(stranger.get(job["audio_url"]).content)
    assert (audio.rate, audio.samples.shape) == (RATE, (1, SECONDS * RATE))
    assert abs(audio.samples).max() > 0
