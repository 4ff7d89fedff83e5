"""Queues on SQS."""

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

from lambdas.core.errors import TransientError
from lambdas.core.ports import Message

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

BATCH = 10
LONGEST_DELAY = 900  # seconds, SQS's own limit
LETTERS = 100  # dead letters looked at in one round
ASIDE = 30  # seconds a dead letter is out of sight after a look: longer than a round takes


class SqsQueue:
    """Implements ports.Queue."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def send(self, message: Message, delay: float = 0) -> None:
        seconds = min(LONGEST_DELAY, max(0, ceil(delay)))
        self._client.send_message(QueueUrl=self._url, MessageBody=message.encode(), DelaySeconds=seconds)

    def send_all(self, messages: Sequence[Message]) -> None:
        for first in range(0, len(messages), BATCH):
            entries: list[SendMessageBatchRequestEntryTypeDef] = [
                {"Id": str(nth), "MessageBody": message.encode()}
                for nth, message in enumerate(messages[first : first + BATCH])
            ]
            answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
            if answer.get("Failed"):
                raise TransientError("queue_refused", "The queue did not take every message.")

    def defer(self, receipt: str, seconds: int) -> None:
        """Let a received message that could not be handled come back after so many seconds."""
        self._client.change_message_visibility(
            QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=seconds
        )


class SqsDeadLetters:
    """Implements ports.DeadLetters."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def read(self) -> Sequence[str]:
        bodies: list[str] = []
        while len(bodies) < LETTERS:
            answer = self._client.receive_message(
                QueueUrl=self._url, MaxNumberOfMessages=BATCH, VisibilityTimeout=ASIDE
            )
            received = [message["Body"] for message in answer.get("Messages", [])]
            if not received:
                break
            bodies += received
        return bodies
