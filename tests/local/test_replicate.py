"""Replicate on the whole path, every right enforced: an API call, the conductor, predictions by HTTP, a file,
and Replicate's own call that it is done."""

import io
import json
import time
import wave
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from local.cloud import LocalCloud
from tests.fakes.replicate import ENDED, TOKEN, VERSION, WEBHOOK_SECRET, Replicate, problem
from tests.local.caller import LOOKS, PAUSE, Caller, refused

SONG = {"model": "musicgen-stereo-small", "duration": 2}

pytestmark = pytest.mark.xdist_group("replicate-cloud")


@pytest.fixture(scope="module")
def replicate() -> Iterator[Replicate]:
    running = Replicate(lambda: datetime.now(UTC))
    running.boot, running.pace = 0.5, 0.5
    with running:
        yield running


@pytest.fixture(scope="module")
def api(replicate: Replicate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    context = {
        "chains": {"mock": ["mock"], "musicgen-stereo-small": ["replicate"]},
        "accepted_licences": ["CC-BY-NC-4.0"],
        "replicate": {"version": VERSION, "hardware": "a100-80gb", "base_url": f"{replicate.url}/v1"},
    }
    with LocalCloud(tmp_path_factory.mktemp("replicate"), auth=True, context=context) as cloud:
        vault = cloud.client("secretsmanager")
        for name, value in (("ReplicateToken", TOKEN), ("ReplicateWebhook", WEBHOOK_SECRET)):
            vault.put_secret_value(SecretId=cloud.outputs[f"{name}SecretName"], SecretString=f"{value}\n")
        with Caller(cloud.api_url) as caller:
            yield caller


def made(api: Caller, replicate: Replicate, prompt: str) -> tuple[dict[str, Any], str]:
    """A job, and the id of the prediction that has just ended for it."""
    job = api.make(prompt, **SONG)
    for _ in range(LOOKS):
        for id, prediction in list(replicate.predictions.items()):
            if prediction.asked["input"]["prompt"] == prompt and replicate.told(id)["status"] in ENDED:
                return job, id
        time.sleep(PAUSE)
    raise AssertionError("no prediction was made")


def call(api: Caller, replicate: Replicate, prediction: str, **changes: str) -> httpx.Response:
    """Replicate's own call, at the address that it was given."""
    headers, body = replicate.webhook(prediction)
    address: str = replicate.predictions[prediction].asked["webhook"]
    return api.http.post(address.rpartition("/v1")[2], content=body, headers=headers | changes)


def test_a_song_is_made_by_a_prediction_whose_end_is_heard_of(api: Caller, replicate: Replicate) -> None:
    job, prediction = made(api, replicate, "slow rain")

    called = call(api, replicate, prediction)

    done = api.ended(job)
    assert called.status_code == 204
    assert (done["status"], done["backend"], done["mock"]) == ("completed", "replicate", False)
    assert done["model_revision"] == "meta/musicgen@671ac645 stereo-large"
    assert done["cost"]["actual_usd"] == pytest.approx(2 * 0.5 * 0.0014)
    with wave.open(io.BytesIO(httpx.get(done["audio_url"], trust_env=False).content)) as wav:
        assert wav.getnframes() == 2 * wav.getframerate()


def test_a_call_that_is_not_replicates_is_turned_down_and_the_song_is_made_all_the_same(
    api: Caller, replicate: Replicate
) -> None:
    job, prediction = made(api, replicate, "forged rain")

    called = call(api, replicate, prediction, **{"webhook-id": "msg_of_somebody"})

    refused(called, 403, "not_signed")
    assert api.ended(job)["status"] == "completed"


def test_a_refusal_ends_the_job_in_words_for_the_operator_without_the_token(
    api: Caller, replicate: Replicate
) -> None:
    replicate.answers = [problem(402, "Insufficient credit", f"the account of {TOKEN} has none")]

    job = api.ended(api.make("unpaid rain", **SONG))

    assert (job["status"], job["error"]["code"]) == ("failed", "no_backend_available")
    assert "operator must add credit" in job["error"]["detail"]
    assert TOKEN not in json.dumps(job)
