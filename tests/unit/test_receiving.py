"""Lambda's batches: what failed goes back, a little later each time; what did not is not seen again."""

import io
import json
from itertools import count
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from lambdas.core.ports import Message
from lambdas.receiving import LONGEST_PAUSE, receive

LOG = Logger(service="test", level="CRITICAL")


def record(body: str, receives: int = 1, name: str = "1") -> dict[str, Any]:
    return {
        "messageId": f"message-{name}",
        "receiptHandle": f"receipt-{name}",
        "body": body,
        "attributes": {"ApproximateReceiveCount": str(receives)},
    }


def fail(message: Message) -> None:
    raise RuntimeError(message.job_id)


def test_what_was_handled_is_not_seen_again():
    seen: list[str] = []
    records = [record('{"job_id": "a"}', name="1"), record('{"job_id": "b"}', name="2")]

    answer = receive({"Records": records}, lambda message: seen.append(message.job_id), _never, 5, LOG)

    assert seen == ["a", "b"]
    assert answer == {"batchItemFailures": []}


def test_only_what_failed_is_delivered_again():
    put_off: list[str] = []

    def act(message: Message) -> None:
        if message.job_id == "bad":
            fail(message)

    records = [record('{"job_id": "bad"}', name="1"), record('{"job_id": "good"}', name="2")]
    answer = receive({"Records": records}, act, lambda receipt, _: put_off.append(receipt), 5, LOG)

    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    assert put_off == ["receipt-1"]


@pytest.mark.parametrize("body", ["", "{", "null", "[]", '{"job_id": 1}', '{"other": "a"}'])
def test_a_message_that_means_nothing_is_a_failure_of_its_own_only(body):
    seen: list[str] = []
    records = [record(body, name="1"), record('{"job_id": "a"}', name="2")]

    answer = receive({"Records": records}, lambda message: seen.append(message.job_id), _accept, 5, LOG)

    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    assert seen == ["a"]


@pytest.mark.parametrize(
    ("receives", "pause"), [(1, 5), (2, 10), (3, 20), (4, 40), (5, 80), (20, LONGEST_PAUSE)]
)
def test_each_failure_is_put_off_twice_as_long_as_the_one_before(receives, pause):
    pauses: list[int] = []

    receive(
        {"Records": [record('{"job_id": "a"}', receives)]},
        fail,
        lambda _, seconds: pauses.append(seconds),
        5,
        LOG,
    )

    assert 0.75 * pause - 1 <= pauses[0] <= 1.25 * pause + 1


def test_a_message_that_cannot_be_put_off_comes_back_all_the_same():
    answer = receive({"Records": [record('{"job_id": "a"}')]}, fail, _never, 5, LOG)

    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}


def _accept(receipt: str, seconds: int) -> None:
    assert seconds > 0


def _never(receipt: str, seconds: int) -> None:
    raise ConnectionError("The queue does not answer.")


COMPLETED: dict[str, Any] = {
    "awsRegion": "eu-west-1",
    "eventTime": "2026-11-21T12:00:05.000Z",
    "receivedTime": "2026-11-21T12:00:00.000Z",
    "invocationStatus": "Completed",
    "requestParameters": {"endpointName": "cadenza-dev", "inputLocation": "s3://music/in"},
    "responseParameters": {"contentType": "application/json", "outputLocation": "s3://music/out"},
    "inferenceId": "0f1e-2d3c-2",
    "eventVersion": "1.0",
    "eventSource": "aws:sagemaker",
    "eventName": "InferenceResult",
}
NAMES = count()  # of loggers, which are one for each name
REASON = "ClientError: Data expired"


def heard(body: object) -> tuple[list[str], dict[str, Any], list[dict[str, Any]]]:
    """Jobs that were looked at, what Lambda is answered, and what was logged."""
    seen: list[str] = []
    written = io.StringIO()
    log = Logger(service=f"test-{next(NAMES)}", level="INFO", stream=written)
    records = [record(json.dumps(body))]
    answer = receive({"Records": records}, lambda message: seen.append(message.job_id), _accept, 5, log)
    return seen, answer, [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_notice_that_a_song_is_over_makes_its_jobs_next_check_happen_now():
    seen, answer, _ = heard(COMPLETED)

    assert seen == ["0f1e-2d3c"]
    assert answer == {"batchItemFailures": []}


@pytest.mark.parametrize(
    "where",
    [
        {"failureLocation": "s3://music/failed"},
        {"responseParameters": {"failureLocation": "s3://music/failed"}},
    ],
    ids=["at the top", "in the response"],
)
@pytest.mark.parametrize("status", ["Failed", "Expired"])
def test_a_notice_of_a_failure_is_a_hint_as_well_and_its_reason_is_logged(status, where):
    failed = {**COMPLETED, "invocationStatus": status, "failureReason": REASON, **where}

    seen, _, records = heard(failed)

    assert seen == ["0f1e-2d3c"]
    [told] = records
    assert (told["status"], told["reason"], told["failure"]) == (status, REASON, "s3://music/failed")


@pytest.mark.parametrize(
    "work", [None, "", "nobody's", "1", "-1", "a" * 100 + "-1", "0f1e-x", "../jobs-1", "job-1\n"]
)
def test_a_notice_of_work_that_cannot_be_ours_is_dropped(work):
    seen, answer, records = heard({**COMPLETED, "inferenceId": work})

    assert seen == []
    assert answer == {"batchItemFailures": []}
    assert [each["message"] for each in records] == ["notice of nothing that is ours"]


@pytest.mark.parametrize(
    "body",
    [
        {**COMPLETED, "eventSource": "aws:s3"},
        {**COMPLETED, "inferenceId": 7},
        {"Type": "Notification", "Message": json.dumps(COMPLETED)},
        {"inferenceId": "job-1-1"},
    ],
    ids=["another service's", "an id that is none", "still wrapped", "of nobody"],
)
def test_what_only_looks_like_a_notice_waits_for_an_operator(body):
    seen, answer, _ = heard(body)

    assert seen == []
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}


def test_a_notice_whose_check_fails_comes_again():
    records = [record(json.dumps(COMPLETED))]

    answer = receive({"Records": records}, fail, _accept, 5, LOG)

    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
