"""Lambda's batches: what failed goes back, a little later each time; what did not is not seen again."""

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
