"""Messages from SQS, one by one: what fails goes back to its queue, a little later each time."""

import random
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger

from lambdas.core.ports import Message

LONGEST_PAUSE = 900  # seconds

Defer = Callable[[str, int], None]  # a receipt, seconds


def receive(
    event: dict[str, Any], act: Callable[[Message], None], defer: Defer, pause: int, log: Logger
) -> dict[str, Any]:
    """Lambda's partial batch response: exactly the messages that failed are delivered again."""
    failures = [record for record in event["Records"] if not _handled(record, act, log)]
    for record in failures:
        received = int(record["attributes"]["ApproximateReceiveCount"])
        seconds = min(LONGEST_PAUSE, pause * 2 ** (received - 1)) * (0.75 + random.random() / 2)  # nosec B311
        _put_off(record, defer, round(seconds), log)
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in failures]}


def _handled(record: dict[str, Any], act: Callable[[Message], None], log: Logger) -> bool:
    try:
        act(Message.model_validate_json(record["body"]))
    except Exception:
        log.exception("message failed", extra={"message_id": record["messageId"]})
        return False
    return True


def _put_off(record: dict[str, Any], defer: Defer, seconds: int, log: Logger) -> None:
    try:
        defer(record["receiptHandle"], seconds)
    except Exception:  # it comes back anyway, when its visibility timeout ends
        log.warning("message not put off", extra={"message_id": record["messageId"]})
