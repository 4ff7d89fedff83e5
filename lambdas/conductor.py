"""The queue's entry point: one message, one short step of one job."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas import wiring
from lambdas.core.ports import Message
from lambdas.receiving import receive
from lambdas.telemetry import Telemetry

telemetry = Telemetry("conductor")
log = telemetry.log


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    parts = wiring.conducting()

    def step(message: Message) -> None:
        log.append_keys(job_id=message.job_id)
        job = parts.conductor.step(message.job_id)
        if job is None:
            log.info("nothing to do")
            return
        log.info("step", extra={"status": job.status, "attempt": job.attempt, "backend": job.backend})
        if job.status.terminal:
            telemetry.count(f"Jobs{job.status.capitalize()}")

    answer = receive(event, step, parts.queue.defer, parts.settings.redelivery_seconds, log)
    telemetry.publish()
    return answer
