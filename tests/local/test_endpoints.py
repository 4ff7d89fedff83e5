"""Songs of a real model's server behind the emulated SageMaker, in each of its three modes: POST to audio.

One state for all three: every start brings the same stacks from one mode to the next.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from lambdas.aws.endpoints import status
from local.checkpoints import Checkpoint
from local.cloud import LocalCloud
from local.container import Container
from local.emulator import free_pair
from local.hosting import MODES, Hosting
from local.weights import packed
from tests.local import model_data, tiny_models
from tests.local.caller import Caller
from tests.local.tiny_models import MUSICGEN
from tests.unit.signals import heard

RATE = 32_000  # Hz
MASTERING = 95  # per cent: what the host makes is made


@dataclass(frozen=True)
class Hosted:
    mode: str
    cloud: LocalCloud
    api: Caller


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("endpoints")


@pytest.fixture(scope="module")
def checkpoint(folder: Path) -> Checkpoint:
    return tiny_models.checkpoint(MUSICGEN, folder / "checkpoint")


@pytest.fixture(scope="module", params=MODES)
def hosted(request: pytest.FixtureRequest, folder: Path, checkpoint: Checkpoint) -> Iterator[Hosted]:
    """The model's server plays what came to it by the way that SageMaker's takes: published, and laid down as
    the endpoint's model says."""
    hosting, server = Hosting(checkpoint, request.param), Container(folder, free_pair(), lambda _: None)
    containers, laid = hosting.containers(server.url), folder / request.param
    cloud = LocalCloud(folder / "cloud", auth=True, context=hosting.context(), containers=containers)
    with ExitStack() as running, cloud, Caller(cloud.api_url) as api:
        path = f"{MUSICGEN}{'.tar.gz' if hosting.mode == 'serverless' else '/'}"
        model_data.publish(cloud, packed(checkpoint, folder / "models", server.say), path, folder)
        model_data.lay(cloud, f"cadenza-local-{hosting.mode}", laid)
        server.start(running, laid)
        yield Hosted(hosting.mode, cloud, api)


def test_a_song_is_made_behind_the_endpoint(hosted: Hosted) -> None:
    job = hosted.api.ended(hosted.api.make("a small tune", duration=2))

    assert (job["status"], job["backend"], job["model"], job["mock"]) == (
        "completed", "sagemaker", MUSICGEN, False,
    )  # fmt: skip
    assert job["model_revision"].startswith("sha256:")
    assert job["licence"] == "CC-BY-NC-4.0"
    # A machine of one's own has no price; a second of a serverless endpoint has.
    assert (job["cost"]["actual_usd"] > 0) == (hosted.mode == "serverless")
    with httpx.Client(trust_env=False, timeout=60) as stranger:
        audio = heard(stranger.get(job["audio_url"]).content)
    assert (audio.rate, audio.samples.shape) == (RATE, (1, 2 * RATE))
    assert abs(audio.samples).max() > 0


def test_the_endpoint_is_of_the_mode_that_was_asked_for(hosted: Hosted) -> None:
    found = hosted.cloud.client("sagemaker").describe_endpoint(EndpointName=f"cadenza-local-{hosted.mode}")

    [variant] = found["ProductionVariants"]
    assert ("CurrentServerlessConfig" in variant) == (hosted.mode == "serverless")
    assert found["EndpointStatus"] == "InService"


def test_an_endpoint_that_is_there_is_told_from_one_that_is_not(hosted: Hosted) -> None:
    control = hosted.cloud.client("sagemaker")

    assert status(control, f"cadenza-local-{hosted.mode}") == "InService"
    assert status(control, "cadenza-local-none") is None


@pytest.mark.parametrize("hosted", ["async"], indirect=True)
def test_the_audio_of_five_minutes_passes_through_the_asynchronous_endpoint(hosted: Hosted) -> None:
    job = hosted.api.make("a long tune", duration=300)

    # Mastering so much noise takes a minute; it is the same for every host.
    while (look := hosted.api.job(job["job_id"]))["progress"] < MASTERING:
        assert look["status"] in ("queued", "processing"), look
        time.sleep(0.1)

    assert look["backend"] == "sagemaker"
    bucket, prefix = hosted.cloud.outputs["MusicBucketName"], f"raw/{job['job_id']}/"
    listed = hosted.cloud.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)
    assert max(each["Size"] for each in listed["Contents"]) >= 300 * RATE * 2
