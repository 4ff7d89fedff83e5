"""The chain of hosts on the whole path, every right enforced: one goes down, the next takes over, it is back;
a piece that is longer than its host makes at once; and the day's budget."""

import io
import time
import wave
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import httpx
import pytest

from lambdas.backends.upload import put
from lambdas.core.paces import pace
from local.cloud import LocalCloud
from tests.fakes.container import Container
from tests.fakes.loopback import Answer
from tests.fakes.replicate import TOKEN, VERSION, Replicate
from tests.local.caller import Caller, View, refused

CHAINED = {"model": "musicgen-stereo-small", "duration": 2}
LONG = {"model": "musicgen-stereo-medium", "duration": 40}
BREAKER = {"failures": 2, "within_seconds": 60, "rest_seconds": 15, "longest_rest_seconds": 20}
TRIES = 60

pytestmark = pytest.mark.xdist_group("chain-cloud")


@pytest.fixture(scope="module")
def container() -> Iterator[Container]:
    with Container(put) as running:
        yield running


@pytest.fixture(scope="module")
def replicate() -> Iterator[Replicate]:
    running = Replicate(lambda: datetime.now(UTC))
    running.boot, running.pace = 0.1, 0.01
    running.fetch = lambda url: httpx.get(url, trust_env=False).content
    with running:
        yield running


@pytest.fixture(scope="module")
def api(
    container: Container, replicate: Replicate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Caller]:
    context = {
        "chains": {
            "mock": ["mock"],
            "musicgen-stereo-small": ["container", "replicate"],
            "musicgen-stereo-medium": ["replicate"],
        },
        "accepted_licences": ["CC-BY-NC-4.0"],
        "container_url": container.url,
        "replicate": {"version": VERSION, "hardware": "a100-80gb", "base_url": f"{replicate.url}/v1"},
        "breaker": BREAKER,
        "daily_budget_usd": 0.5,
    }
    with LocalCloud(tmp_path_factory.mktemp("chain"), auth=True, context=context) as cloud:
        cloud.client("secretsmanager").put_secret_value(
            SecretId=cloud.outputs["ReplicateTokenSecretName"], SecretString=TOKEN
        )
        with Caller(cloud.api_url) as caller:
            yield caller


def until(told: Callable[[], View], enough: Callable[[View], bool]) -> View:
    """What is told, once it is enough."""
    for _ in range(TRIES):
        view = told()
        if enough(view):
            return view
        time.sleep(0.5)
    raise AssertionError(f"it never came to that: {view}")


def test_a_host_that_goes_down_is_left_alone_and_asked_again_when_it_is_back(
    api: Caller, container: Container
) -> None:
    def health() -> View:
        view: View = api.http.get("/health").json()
        return view

    container.answers = [Answer(503)] * 1000
    first, second = api.make("first rain", **CHAINED), api.make("second rain", **CHAINED)

    down = until(health, lambda view: view["status"] == "degraded")
    third = api.make("third rain", **CHAINED)
    assert down["backends"] == {"mock": "closed", "container": "open", "replicate": "closed"}
    (chained,) = [m for m in api.http.get("/models").json()["models"] if m["id"] == CHAINED["model"]]
    assert [(host["name"], host["healthy"]) for host in chained["backends"]] == [
        ("container", False),
        ("replicate", True),
    ]

    for job in map(api.ended, (first, second)):
        assert (job["status"], job["backend"]) == ("completed", "replicate")
        assert ("container", "http_503") in [(trial["backend"], trial["code"]) for trial in job["trials"]]
    passed = api.ended(third)
    assert [(trial["backend"], trial["code"]) for trial in passed["trials"]] == [("container", "left_alone")]

    container.answers = []
    back = until(
        lambda: api.ended(api.make("rain again", **CHAINED)), lambda job: job["backend"] == "container"
    )
    assert back["status"] == "completed"
    until(health, lambda view: view["status"] == "ok")


def test_a_piece_that_is_longer_than_its_host_makes_is_one_recording_and_costs_what_its_parts_do(
    api: Caller, replicate: Replicate
) -> None:
    job = api.make("long rain", **LONG)
    looks = api.life(job)

    done = looks[-1]
    assert (done["status"], done["trials"]) == ("completed", [])
    with wave.open(io.BytesIO(httpx.get(done["audio_url"], trust_env=False).content)) as wav:
        assert wav.getnframes() == LONG["duration"] * wav.getframerate()
    made = [each for each in replicate.predictions.values() if each.asked["input"]["prompt"] == "long rain"]
    assert [each.asked["input"]["duration"] for each in made] == [25, 25]
    assert [each.recording is not None for each in made] == [False, True]
    assert done["cost"]["actual_usd"] == pytest.approx(2 * 25 * 0.01 * 0.0014, rel=0.01)
    expected = 2 * 25 * pace("musicgen-large", "replicate", "a100-80gb") * 0.0014
    assert done["cost"]["estimate_usd"] == pytest.approx(expected, rel=1e-3)


def test_beyond_the_days_budget_paid_work_is_refused_and_the_mock_plays_on(api: Caller) -> None:
    answer = api.generate("dear rain", model="musicgen-stereo-medium", duration=300, variations=4)

    refused(answer, 503, "budget_exhausted")
    assert 0 < int(answer.headers["retry-after"]) <= 24 * 3600
    assert api.ended(api.make("cheap rain"))["status"] == "completed"
    assert "dear rain" not in [job["prompt"] for job in api.http.get("/jobs").json()["jobs"]]
