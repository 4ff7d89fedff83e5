"""Calls from Replicate, as API Gateway hands them over: what they do, and that they tell nobody anything."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import urllib3

from lambdas import api, wiring
from lambdas.core.hinting import Hints
from lambdas.core.ports import Work
from lambdas.core.signing import secrets_in, sign
from lambdas.http.admission import BODY_LIMIT
from tests.fakes.examples import PIECE, a_job
from tests.fakes.replicate import WEBHOOK_SECRET, Replicate, connect
from tests.fakes.world import World
from tests.handlers.invoking import Answer, Context, Event, request

PATH = "/callbacks/replicate"
WORK = Work("job-1-1", 1, PIECE.but(model="musicgen-large"), "https://put", "", "")

# As the guide shows a webhook's body: https://replicate.com/docs/topics/webhooks/receive-webhook
DOCUMENTED = b"""{
  "id": "ufawqhfynnddngldkgtslldrkq",
  "version": "5c7d5dc6dd8bf75c1acaa8565735e7986bc5b66206b55cca93cb72c9bf15ccaa",
  "created_at": "2022-04-26T22:13:06.224088Z",
  "started_at": null,
  "completed_at": null,
  "status": "starting",
  "input": {
    "text": "Alice \xc3\xa9t\xc3\xa9"
  },
  "output": null,
  "error": null,
  "logs": null,
  "metrics": {}
}"""


@pytest.fixture
def hints(world: World, monkeypatch: pytest.MonkeyPatch) -> Hints:
    made = Hints(world.queue, lambda: WEBHOOK_SECRET, world.time)
    monkeypatch.setattr(wiring, "hints", lambda: made)
    return made


@pytest.fixture
def replicate(world: World) -> Iterator[Replicate]:
    with Replicate(world.time) as running:
        yield running


def signed(world: World, body: bytes = DOCUMENTED, job: str = "job-1", **changes: str) -> Event:
    """A call as Replicate makes it, signed this moment."""
    moment, (key,) = int(world.time().timestamp()), secrets_in(WEBHOOK_SECRET)
    headers = {
        "Content_Type": "application/json",
        "Webhook_Id": "msg_1",
        "Webhook_Timestamp": str(moment),
        "Webhook_Signature": sign(key, "msg_1", moment, body),
    }
    return request("POST", f"{PATH}?job={job}", body.decode(), **headers | changes)


def call(event: Event) -> Answer:
    return Answer.of(api.handler(event, Context()))  # type: ignore[arg-type]


def sent(world: World) -> list[str]:
    return [letter.body for letter in world.queue.letters]


def test_the_documented_call_makes_the_job_be_looked_at_now(world: World, hints: Hints) -> None:
    answer = call(signed(world))

    assert (answer.status, answer.body) == (204, "")
    assert sent(world) == ['{"job_id":"job-1"}']
    assert world.queue.next_at == world.time()


def test_a_prediction_that_ended_is_heard_of_by_the_address_it_was_given(
    world: World, hints: Hints, replicate: Replicate
) -> None:
    with urllib3.PoolManager() as http:
        backend = replace(connect(replicate, http), webhook_url=f"https://cadenza.example/v1{PATH}")
        ticket = backend.start(WORK)
    world.time.pass_by(120)
    headers, body = replicate.webhook(ticket.id)
    address = replicate.predictions[ticket.id].asked["webhook"].removeprefix("https://cadenza.example/v1")

    answer = call(request("POST", address, body.decode(), **headers))

    assert answer.status == 204
    assert sent(world) == ['{"job_id":"job-1"}']


def test_jobs_that_are_there_and_jobs_that_are_not_are_answered_alike(world: World, hints: Hints) -> None:
    world.jobs.insert(a_job("job-1"))
    world.wire.calls.clear()

    answers = [call(signed(world, job=job)) for job in ("job-1", "job-2", "", "no%20job")]

    assert [(answer.status, answer.headers, answer.body) for answer in answers] == [
        (204, answers[0].headers, "")
    ] * 4
    assert world.wire.calls == []  # nobody even looked


@pytest.mark.parametrize(
    "changes",
    [
        {"Webhook_Signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
        {"Webhook_Signature": ""},
        {"Webhook_Timestamp": "1614265330"},
        {"Webhook_Id": "msg_2"},
    ],
)
def test_a_call_that_is_not_replicates_is_turned_down_alike_for_every_job(
    world: World, hints: Hints, changes: dict[str, str]
) -> None:
    world.jobs.insert(a_job("job-1"))

    there, absent = (call(signed(world, DOCUMENTED, job, **changes)) for job in ("job-1", "job-2"))

    assert (there.status, there.body["code"]) == (403, "not_signed")
    assert there.body == absent.body
    assert sent(world) == []


def test_a_call_that_was_changed_on_its_way_is_turned_down(world: World, hints: Hints) -> None:
    event = signed(world)

    answer = call({**event, "body": event["body"].replace("starting", "succeeded")})

    assert answer.status == 403
    assert sent(world) == []


def test_a_call_may_come_again_and_again(world: World, hints: Hints) -> None:
    answers = [call(signed(world)) for _ in range(3)]

    assert [answer.status for answer in answers] == [204] * 3
    assert set(sent(world)) == {'{"job_id":"job-1"}'}


def test_a_call_has_a_size(world: World, hints: Hints) -> None:
    logs = b'{"logs": "%s"}' % (b"x" * BODY_LIMIT)

    answer = call(signed(world, body=logs))

    assert answer.status == 413
    assert sent(world) == []


def test_the_longest_log_of_a_song_is_within_it(world: World, hints: Hints) -> None:
    steps = "".join(f"{step: 6d} / {1503: 6d}\\r" for step in range(1504))

    assert call(signed(world, body=b'{"logs": "%s"}' % steps.encode())).status == 204


def test_where_replicate_is_not_set_up_there_is_nothing_to_call(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "hints", lambda: None)

    answer = call(signed(world))

    assert (answer.status, answer.body["code"]) == (404, "not_found")


def test_only_posts_are_calls(world: World, hints: Hints) -> None:
    answer = call(request("GET", f"{PATH}?job=job-1"))

    assert (answer.status, answer.headers["allow"]) == (405, "POST")


def test_callers_of_the_api_are_not_told_of_it(world: World) -> None:
    document = call(request("GET", "/openapi.json"))

    assert "/generate" in document.body["paths"]
    assert not any("callbacks" in path for path in document.body["paths"])
