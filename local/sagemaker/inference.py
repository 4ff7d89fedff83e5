"""One asynchronous request from its input in S3 to its output there, and the notification of how it went.

https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-check-predictions.html documents the fields of
a notification by example only; that of a failure names its file where consumers are known to look for it.
"""

import base64
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError

from local import REGION
from local.sagemaker.account import Account
from local.sagemaker.answers import TIMED_OUT
from local.sagemaker.endpoints import Asynchronous
from local.sagemaker.invoking import Reply, TimedOut, TooLarge, Unreachable, invoke

MOST_BYTES = 1 << 30
UNREACHED = "ServerError: Amazon SageMaker could not get a response from the {} endpoint."
REFUSED = (
    "ClientError: Received {} error ({}) from model. See the SageMaker Endpoint logs in your account for "
    "more information."
)
NO_INPUT = "ClientError: The input {} could not be read: {}"
EXPIRED = "The request waited longer than its RequestTTLSeconds."

logger = logging.getLogger("sagemaker")


@dataclass(frozen=True)
class Request:
    """`location` of its input, or the input itself as `inline` base64; times in seconds since the epoch."""

    inference_id: str
    endpoint: str
    location: str | None
    inline: str | None
    output: str
    failure: str | None
    received: float
    expires: float
    seconds: float
    headers: Mapping[str, str]


@dataclass(eq=False)
class Failure(Exception):
    """Why there is no output; `said` is what the container said, if it said anything."""

    reason: str
    said: bytes = b""
    status: Literal["Failed", "Expired"] = "Failed"


def infer(request: Request, rules: Asynchronous, address: str, account: Account) -> None:
    """Blocks until the output, or the reason why there is none, lies in S3 and is told."""
    try:
        reply = _reply(request, address, account)
    except Failure as failure:
        fail(request, rules, failure, account)
        return
    account.write(request.output, reply.body, reply.content_type)
    found = {"contentType": reply.content_type, "outputLocation": request.output}
    _tell(
        account, rules.success_topic, request, {"invocationStatus": "Completed", "responseParameters": found}
    )


def fail(request: Request, rules: Asynchronous, failure: Failure, account: Account) -> None:
    told: dict[str, object] = {"invocationStatus": failure.status, "failureReason": failure.reason}
    if request.failure is not None:
        account.write(request.failure, failure.said or failure.reason.encode(), "text/plain")
        told["responseParameters"] = {"failureLocation": request.failure}
    _tell(account, rules.error_topic, request, told)


def _reply(request: Request, address: str, account: Account) -> Reply:
    body = _input(request, account)
    try:
        reply = invoke(address, request.headers, body, seconds=request.seconds, most_bytes=MOST_BYTES)
    except TimedOut:
        raise Failure(f"ServerError: {TIMED_OUT}") from None
    except Unreachable:
        raise Failure(UNREACHED.format(request.endpoint)) from None
    except TooLarge:
        raise Failure(f"ServerError: The response is longer than {MOST_BYTES} bytes.") from None
    if not reply.good:
        kind = "client" if 400 <= reply.status < 500 else "server"
        raise Failure(REFUSED.format(kind, reply.status), reply.body)
    return reply


def _input(request: Request, account: Account) -> bytes:
    if request.location is None:
        return base64.b64decode(request.inline or "")
    try:
        return account.read(request.location)
    except (ClientError, BotoCoreError) as error:
        raise Failure(NO_INPUT.format(request.location, error)) from error


def _tell(account: Account, topic: str | None, request: Request, outcome: Mapping[str, object]) -> None:
    if topic is None:
        return
    asked = {"accept": request.headers.get("accept"), "contentType": request.headers.get("content-type")}
    asked |= {"endpointName": request.endpoint, "inputLocation": request.location}
    message = {
        "awsRegion": REGION,
        "eventTime": _iso(time.time()),
        "receivedTime": _iso(request.received),
        "requestParameters": {key: value for key, value in asked.items() if value is not None},
        **outcome,
        "inferenceId": request.inference_id,
        "eventVersion": "1.0",
        "eventSource": "aws:sagemaker",
        "eventName": "InferenceResult",
    }
    try:
        account.tell(topic, message)
    except (ClientError, BotoCoreError) as error:
        logger.error("%s was not told of %s: %s", topic, request.inference_id, error)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
