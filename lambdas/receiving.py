"""Messages from SQS, one by one: what fails goes back to its queue, a little later each time.

Ours carry a job's id. SageMaker's notices that an asynchronous request is over come to the same queue, and
are hints: the job is looked at now, and whether anything has happened is for its host to say.
"""

import random
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from aws_lambda_powertools import Logger
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lambdas.core.ports import Message

LONGEST_PAUSE = 900  # seconds
WORK = re.compile(r"([\w-]{1,60})-\d{1,9}")

Defer = Callable[[str, int], None]  # a receipt, seconds


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    failure: Annotated[str | None, Field(alias="failureLocation")] = None


class _Notice(BaseModel):
    """What SageMaker publishes, as far as it is relied on.

    https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-check-predictions.html; where a failure is
    stored is told at the top or among the response's parameters.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    source: Annotated[Literal["aws:sagemaker"], Field(alias="eventSource")]
    status: Annotated[str, Field(alias="invocationStatus")] = ""
    work: Annotated[str | None, Field(alias="inferenceId")] = None
    reason: Annotated[str | None, Field(alias="failureReason")] = None
    failure: Annotated[str | None, Field(alias="failureLocation")] = None
    response: Annotated[_Stored | None, Field(alias="responseParameters")] = None

    @property
    def hint(self) -> Message | None:
        """Work is named by its job's id and the number of the attempt (core.commissioning)."""
        named = WORK.fullmatch(self.work or "")
        return Message(job_id=named[1]) if named else None

    @property
    def told(self) -> dict[str, str | None]:
        """For the log."""
        stored = self.failure or (self.response.failure if self.response else None)
        return {"work": self.work, "status": self.status, "reason": self.reason, "failure": stored}


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
        message = _message(record["body"], log)
        if message is not None:
            act(message)
    except Exception:
        log.exception("message failed", extra={"message_id": record["messageId"]})
        return False
    return True


def _message(body: str, log: Logger) -> Message | None:
    """None for a notice of work that is not ours. Raises ValidationError for what is no message at all."""
    try:
        return Message.read(body)
    except ValidationError as error:
        try:
            notice = _Notice.model_validate_json(body)
        except ValidationError:
            raise error from None
    hint = notice.hint
    log.info("notice" if hint else "notice of nothing that is ours", extra=notice.told)
    return hint


def _put_off(record: dict[str, Any], defer: Defer, seconds: int, log: Logger) -> None:
    try:
        defer(record["receiptHandle"], seconds)
    except Exception:  # it comes back anyway, when its visibility timeout ends
        log.warning("message not put off", extra={"message_id": record["messageId"]})
