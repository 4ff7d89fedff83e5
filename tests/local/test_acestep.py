"""ACE-Step on the whole path, every right enforced: an API call, the conductor, a server by HTTP, a file."""

import io
import json
import wave
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from local.cloud import LocalCloud
from tests.fakes.acestep import AceStep
from tests.fakes.loopback import Answer
from tests.local.caller import Caller

KEYS = {"api_key": "sk-of-the-server", "modal_key": "wk-1", "modal_secret": "ws-1"}
HEADERS = {"modal-key": "wk-1", "modal-secret": "ws-1"}
SONG = {"model": "ace-step-1.5", "duration": 10, "lyrics": "[Verse]\nRain, rain", "bpm": 92, "key": "F#m"}
USD = 8.0 * 0.80 / 3600  # what the server says it worked, on an L4

pytestmark = pytest.mark.xdist_group("acestep-cloud")


@pytest.fixture(scope="module")
def server() -> Iterator[AceStep]:
    running = AceStep(lambda: datetime.now(UTC), KEYS["api_key"], HEADERS)
    running.waits, running.works = 1.0, 4.0
    with running:
        yield running


@pytest.fixture(scope="module")
def api(server: AceStep, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    context = {
        "chains": {"mock": ["mock"], "ace-step-1.5": ["acestep"]},
        "acestep": {"url": server.url, "hardware": "l4"},
    }
    with LocalCloud(tmp_path_factory.mktemp("acestep"), auth=True, context=context) as cloud:
        name = cloud.outputs["AceStepSecretName"]
        cloud.client("secretsmanager").put_secret_value(SecretId=name, SecretString=json.dumps(KEYS))
        with Caller(cloud.api_url) as caller:
            yield caller


def test_a_song_is_made_by_the_server_and_says_so(api: Caller, server: AceStep) -> None:
    looks = api.life(api.make("slow rain", seed=7, negative_prompt="noise", **SONG))

    job = looks[-1]
    assert (job["status"], job["backend"], job["mock"]) == ("completed", "acestep", False)
    assert (job["licence"], job["model_revision"]) == ("MIT", "acestep-v15-turbo")
    assert job["report"] == {"language_model": "acestep-5Hz-lm-1.7B", "seed": "7", "work_s": 8.0}
    assert job["cost"]["actual_usd"] == pytest.approx(USD)
    with wave.open(io.BytesIO(httpx.get(job["audio_url"], trust_env=False).content)) as wav:
        assert wav.getnframes() == 10 * wav.getframerate()


def test_the_server_is_told_what_was_asked(api: Caller, server: AceStep) -> None:
    api.ended(api.make("slow rain", seed=8, negative_prompt="noise", **SONG))

    asked = list(server.tasks.values())[-1].asked

    assert asked["prompt"] == "slow rain"
    assert (asked["lyrics"], asked["lm_negative_prompt"]) == (SONG["lyrics"], "noise")
    assert (asked["bpm"], asked["key_scale"], asked["audio_duration"]) == (92, "F# minor", 10.0)
    assert (asked["seed"], asked["use_random_seed"], asked["batch_size"]) == (8, False, 1)


def test_its_queue_and_its_progress_are_seen(api: Caller) -> None:
    looks = api.life(api.make("queue", **SONG))

    told = [look["message"] for look in looks]
    assert [look["progress"] for look in looks] == sorted(look["progress"] for look in looks)
    assert "Generating music (batch size: 1)..." in told


@pytest.mark.parametrize(
    ("role", "task", "field"),
    [
        ("melody", "cover", "src_audio"),
        ("continue", "repaint", "src_audio"),
        ("reference", "text2music", "reference_audio"),
    ],
)
def test_an_earlier_song_is_sent_along_as_a_file(
    api: Caller, server: AceStep, role: str, task: str, field: str
) -> None:
    first = api.ended(api.make("a tune", model="mock", duration=8))

    job = api.ended(api.make("again", audio={"job_id": first["job_id"], "role": role}, **SONG))

    assert job["status"] == "completed", job
    told = list(server.tasks.values())[-1]
    assert (told.asked["task_type"], list(told.files)) == (task, [field])
    with wave.open(io.BytesIO(told.files[field])) as sent:
        assert (sent.getframerate(), sent.getnchannels(), sent.getsampwidth()) == (48_000, 2, 2)
        assert sent.getnframes() == pytest.approx(8 * 48_000, abs=2)
    if role == "continue":
        assert told.asked["repainting_start"] == pytest.approx(8.0, abs=1e-3)
        assert told.asked["repainting_end"] == 10.0


def test_a_full_server_is_asked_again(api: Caller, server: AceStep) -> None:
    full = Answer(429, b'{"detail": "Server busy: queue is full"}', {"Retry-After": "1"})
    server.answers["/release_task"] = [full]
    server.seen.clear()

    job = api.ended(api.make("patience", **SONG))

    assert job["status"] == "completed"
    assert [trial["code"] for trial in job["trials"]] == ["http_429"], "it is told why it waited"
    assert server.seen.count("POST /release_task") == 2


def test_a_server_that_does_not_know_us_ends_the_job_in_words_without_secrets(
    api: Caller, server: AceStep
) -> None:
    server.answers["/release_task"] = [Answer(401, b'{"detail": "Invalid API key sk-of-the-server"}')]

    job = api.ended(api.make("strangers", **SONG))

    assert (job["status"], job["error"]["code"]) == ("failed", "no_backend_available")
    assert "does not accept this deployment's credentials" in job["error"]["detail"]
    assert KEYS["api_key"] not in json.dumps(job)
