"""The entry point of outgoing webhooks: one message, one try."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas import wiring
from lambdas.core.ports import Message
from lambdas.receiving import receive
from lambdas.telemetry import Telemetry

PAUSE = 30  # seconds before a message whose handling broke is tried again

log = Telemetry("courier").log


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    announcer, deliveries = wiring.courier()

    def deliver(message: Message) -> None:
        status = announcer.deliver(message)
        log.info("delivery", extra={"job_id": message.job_id, "attempt": message.attempt, "status": status})

    return receive(event, deliver, deliveries.defer, PAUSE, log)
