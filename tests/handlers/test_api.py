"""The API's handler where HTTP does not easily lead: AWS down, odd events, waits, other people's jobs."""

import json

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from lambdas import api
from lambdas.http.admission import BODY_LIMIT
from tests.fakes.examples import a_finished_job, a_job
from tests.fakes.world import World
from tests.handlers.invoking import HOST, REQUEST_ID, Answer, Context, Event, request

BODY = '{"prompt": "rain", "duration": 10}'
SECRET = "arn:aws:dynamodb:eu-west-1:123456789012:table/jobs-table"
THROTTLED = ClientError({"Error": {"Code": "ThrottlingException", "Message": SECRET}}, "GetItem")
UNREACHABLE = EndpointConnectionError(endpoint_url="https://dynamodb.internal")
ROUTES = [
    ("POST", "/generate"),
    ("POST", "/uploads"),
    ("GET", "/jobs"),
    ("GET", "/jobs/job-1"),
    ("PATCH", "/jobs/job-1"),
    ("DELETE", "/jobs/job-1"),
    ("POST", "/jobs/job-1/cancel"),
    ("GET", "/jobs/job-1/audio"),
]
BODIES = {
    "POST /generate": BODY,
    "POST /uploads": '{"filename": "a.wav", "content_type": "audio/wav", "bytes": 9}',
    "PATCH /jobs/job-1": '{"favourite": true}',
}
PORTS = (
    "ledger.put",
    "jobs.get",
    "jobs.insert",
    "jobs.replace",
    "jobs.owned_by",
    "queue.send",
    "queue.send_all",
)


def invoke(event: Event, left_ms: int = 29_000) -> Answer:
    return Answer.of(api.handler(event, Context(left_ms)))  # type: ignore[arg-type]


def ask(method: str, path: str, body: str | None = None) -> Answer:
    return invoke(request(method, path, body))


def generate(left_ms: int = 29_000, **headers: str) -> Answer:
    return invoke(request("POST", "/generate", BODY, **headers), left_ms)


def failing(world: World, error: Exception, *ports: str) -> None:
    def fail() -> None:
        raise error

    world.wire.always |= dict.fromkeys(ports, fail)


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("error", [THROTTLED, UNREACHABLE], ids=["throttled", "unreachable"])
def test_when_aws_does_not_answer_the_caller_is_asked_to_come_again(
    world: World, caplog: pytest.LogCaptureFixture, method: str, path: str, error: Exception
) -> None:
    failing(world, error, *PORTS)

    answer = ask(method, path, BODIES.get(f"{method} {path}"))

    assert (answer.status, answer.body["code"]) == (503, "temporarily_unavailable")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "1"
    told = json.dumps(answer.body)
    assert not [word for word in (SECRET, "dynamodb", "Throttling", "GetItem", "Traceback") if word in told]
    assert ("ERROR", "unavailable") in [(record.levelname, record.message) for record in caplog.records]
    assert str(error) in caplog.text


def test_an_error_that_nobody_planned_for_is_recorded_and_kept_to_ourselves(
    world: World, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(world, KeyError("the password is swordfish"), "jobs.get")

    answer = ask("GET", "/jobs/job-1")

    assert (answer.status, answer.body["code"]) == (500, "internal_error")
    assert answer.body["request_id"] == REQUEST_ID
    assert "swordfish" not in json.dumps(answer.body)
    assert "swordfish" in caplog.text
    assert '"UnexpectedErrors":[1.0]' in capsys.readouterr().out


def test_an_event_without_headers_or_query_or_body_is_served(world: World) -> None:
    event = request("GET", "/health") | {"headers": None, "multiValueHeaders": None, "pathParameters": None}

    assert invoke(event).status == 200


def test_a_request_without_a_body_or_a_content_type_is_told_what_is_missing(world: World) -> None:
    for body in (None, ""):
        answer = ask("POST", "/generate", body)
        assert (answer.status, answer.body["code"]) == (422, "invalid_request")
        assert answer.body["detail"].startswith("body: ")


def test_a_body_needs_no_content_type(world: World) -> None:
    assert generate().status == 202


def test_a_body_that_came_as_base64_is_refused_not_tripped_over(world: World) -> None:
    event = request("POST", "/generate", "eyJwcm9tcHQiOiAicmFpbiJ9") | {"isBase64Encoded": True}

    answer = invoke(event)

    assert (answer.status, answer.body["code"]) == (400, "malformed_json")
    assert answer.body["request_id"] == REQUEST_ID


@pytest.mark.parametrize("filler", ["a", "é", "🎹"])
def test_a_body_may_have_so_many_bytes_and_not_one_more(world: World, filler: str) -> None:
    empty = '{"prompt": "rain", "lyrics": ""}'
    size = len(filler.encode())
    most = empty[:-2] + filler * ((BODY_LIMIT - len(empty)) // size) + '"}'
    spaces = " " * (BODY_LIMIT - len(most.encode()))

    fits = ask("POST", "/generate", most + spaces)
    exceeds = ask("POST", "/generate", most + spaces + " ")

    assert fits.body["code"] == "invalid_request"
    assert (exceeds.status, exceeds.body["code"]) == (413, "body_too_large")


def test_links_lead_back_to_where_the_api_was_called(world: World) -> None:
    answer = generate()

    assert answer.headers["location"] == f"https://{HOST}/v1/jobs/job-1" == answer.body["urls"]["self"]


def test_a_wait_ends_before_the_functions_own_time_does(world: World) -> None:
    began = world.time.now

    answer = generate(left_ms=6000, Prefer="wait=25")

    waited = (world.time.now - began).total_seconds()
    assert (answer.status, answer.headers["preference-applied"]) == (202, "wait=25")
    assert 3 < waited < 5


def test_a_wait_is_no_longer_than_what_the_gateway_bears(world: World) -> None:
    began = world.time.now

    answer = generate(left_ms=900_000, Prefer="wait=600")

    assert (answer.status, answer.headers["preference-applied"]) == (202, "wait=25")
    assert 25 <= (world.time.now - began).total_seconds() < 26


@pytest.mark.parametrize("error", [THROTTLED, UNREACHABLE], ids=["throttled", "unreachable"])
def test_a_wait_that_breaks_still_tells_of_the_job(world: World, error: Exception) -> None:
    failing(world, error, "jobs.get", "jobs.queued_before")

    answer = generate(Prefer="wait=5")

    assert (answer.status, answer.body["status"]) == (202, "queued")
    assert answer.headers["retry-after"] == "1"


def test_a_job_that_is_deleted_during_the_wait_was_made_all_the_same(world: World) -> None:
    world.wire.always["jobs.get"] = lambda: world.jobs.documents.clear()

    assert generate(Prefer="wait=5").status == 202


def test_a_job_that_ends_during_the_wait_is_answered_as_made(world: World) -> None:
    world.wire.always["jobs.get"] = lambda: world.jobs.documents.update(
        {"job-1": a_finished_job().model_dump_json()}
    )

    answer = generate(Prefer="wait=5")

    assert (answer.status, answer.body["status"]) == (201, "completed")


def test_a_key_whose_first_request_died_is_in_progress_and_then_taken_over(world: World) -> None:
    failing(world, THROTTLED, "queue.send_all")
    assert generate(Idempotency_Key="k").status == 503
    world.wire.always.clear()

    at_once = generate(Idempotency_Key="k")
    world.time.pass_by(11)
    later = generate(Idempotency_Key="k")

    assert (at_once.status, at_once.body["code"]) == (409, "idempotency_in_progress")
    assert at_once.headers["retry-after"] == "1"
    assert (later.status, later.body["job_id"]) == (202, "job-1")
    assert [job.job_id for job in world.jobs.rows] == ["job-1"]


@pytest.mark.parametrize(("method", "path"), ROUTES[3:])
def test_somebody_elses_job_looks_as_if_it_never_was(world: World, method: str, path: str) -> None:
    world.jobs.insert(a_finished_job("job-1", owner="somebody"))
    body = BODIES.get(f"{method} {path}")

    theirs = ask(method, path, body)
    nobodys = ask(method, path.replace("job-1", "job-2"), body)

    assert (theirs.status, theirs.body["code"]) == (404, "not_found")
    assert theirs.body["detail"] == nobodys.body["detail"]
    assert world.jobs.get("job-1") == a_finished_job("job-1", owner="somebody")


def test_audio_past_its_time_is_gone_and_its_job_is_not_found(world: World) -> None:
    world.jobs.insert(a_finished_job("job-1", expires_at=world.time.now))

    assert ask("GET", "/jobs/job-1").status == 404
    assert (ask("GET", "/jobs/job-1/audio").status, ask("GET", "/jobs/job-1/audio").body["code"]) == (
        410,
        "expired",
    )


def test_a_submission_is_counted_once_however_often_it_is_repeated(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    generate(Idempotency_Key="k")
    generate(Idempotency_Key="k")

    assert capsys.readouterr().out.count('"JobsSubmitted":[1.0]') == 1


def test_a_pending_job_without_a_position_can_be_read(world: World) -> None:
    world.jobs.insert(a_job("job-1"))

    answer = ask("GET", "/jobs/job-1")

    assert (answer.status, answer.body["queue_position"]) == (200, 1)


def test_a_host_that_is_left_alone_is_told_by_health_and_models(world: World) -> None:
    for nth in range(world.policy.failures):
        world.breakers.failed("first", "unreachable", f"work-{nth}")

    health, models = ask("GET", "/health"), ask("GET", "/models")

    assert (health.status, health.body["status"], health.body["backends"]) == (
        200,
        "degraded",
        {"first": "open"},
    )
    (mock,) = models.body["models"]
    assert mock["backends"] == [{"name": "first", "healthy": False, "breaker": "open"}]


def test_with_every_host_in_order_the_service_is_well(world: World) -> None:
    answer = ask("GET", "/health")

    assert (answer.body["status"], answer.body["backends"]) == ("ok", {"first": "closed"})
