"""The handlers behind the queues and the clock: partial batches, what they log, what they count."""

import json
from dataclasses import dataclass, field

import pytest

from lambdas import conductor, courier, janitor, wiring
from lambdas.core.ports import Message, Work, untold
from lambdas.core.tidying import Round
from lambdas.hosting import hosts
from lambdas.settings import ConductorSettings
from tests.fakes.examples import PIECE
from tests.fakes.world import World
from tests.handlers.invoking import Context, messages

SETTINGS = ConductorSettings(
    stage="test",
    jobs_table="jobs",
    ledger_table="ledger",
    audio_bucket="audio",
    jobs_queue_url="https://jobs",
    deliveries_queue_url="https://deliveries",
    provenance_secret="provenance",
    chains={"mock": ("mock",)},
    mock="silence",
    redelivery_seconds=4,
)


@dataclass
class Deferring:
    """A queue that remembers what was put off, and for how long."""

    deferred: dict[str, int] = field(default_factory=dict)

    def defer(self, receipt: str, seconds: int) -> None:
        self.deferred[receipt] = seconds


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def queue(world: World, monkeypatch: pytest.MonkeyPatch) -> Deferring:
    made = Deferring()
    parts = wiring.Conducting(SETTINGS, world.conductor, made)  # type: ignore[arg-type]
    monkeypatch.setattr(wiring, "conducting", lambda: parts)
    monkeypatch.setattr(wiring, "courier", lambda: (world.announcer, made))
    return made


def test_the_conductor_gives_back_exactly_what_it_could_not_handle(world: World, queue: Deferring) -> None:
    world.submit(key=None)

    def fail() -> None:
        if world.wire.calls[-1] == "jobs.get" and world.wire.calls.count("jobs.get") == 1:
            raise RuntimeError("nobody planned for this")

    world.wire.always["jobs.get"] = fail

    answer = conductor.handler(
        messages(
            '{"job_id": "job-1"}', "garbage", '{"job_id": "job-1"}', '{"job_id": "unknown"}', receives=2
        ),
        Context(),  # type: ignore[arg-type]
    )

    assert answer == {"batchItemFailures": [{"itemIdentifier": "m-0"}, {"itemIdentifier": "m-1"}]}
    assert queue.deferred.keys() == {"r-0", "r-1"}
    assert all(6 <= seconds <= 10 for seconds in queue.deferred.values())
    assert world.job().ticket is not None


def test_the_conductor_counts_how_jobs_end_once(
    world: World, queue: Deferring, capsys: pytest.CaptureFixture[str]
) -> None:
    world.submit(key=None)

    for _ in range(4):
        conductor.handler(messages('{"job_id": "job-1"}'), Context())  # type: ignore[arg-type]

    assert world.job().status == "completed"
    assert capsys.readouterr().out.count('"JobsCompleted":[1.0]') == 1


def test_the_courier_delivers_and_gives_back_garbage(world: World, queue: Deferring) -> None:
    world.submit(key=None)
    world.run()
    world.courier.posts.clear()

    answer = courier.handler(
        messages(Message(job_id="job-1").encode(), '{"job_id": 1}', '{"job_id": "unknown"}'),
        Context(),  # type: ignore[arg-type]
    )

    assert answer == {"batchItemFailures": [{"itemIdentifier": "m-1"}]}
    assert [json.loads(body)["data"]["job_id"] for _, body, _ in world.courier.posts] == ["job-1"]
    assert queue.deferred.keys() == {"r-1"}


def test_the_janitor_answers_and_counts_what_it_found(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world.submit(key=None)
    world.queue.dead.bodies += ['{"job_id": "job-1"}', "garbage"]
    monkeypatch.setattr(wiring, "janitor", lambda: world.janitor)

    found = janitor.handler({}, Context())  # type: ignore[arg-type]

    assert Round(**found).buried == 1
    assert world.job().status == "failed"
    assert '"JobsBuried":[1.0]' in capsys.readouterr().out


def test_silence_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[bytes] = []
    monkeypatch.setattr("lambdas.backends.upload.put", lambda url, data: sent.append(data))

    backends = hosts(SETTINGS, wiring.now, untold)
    backends["mock"].start(Work("job-1-1", 1, PIECE, "https://put", "https://put", "https://get"))

    (wav,) = sent
    assert wav[:4] == b"RIFF"
    assert not any(wav[44:])
