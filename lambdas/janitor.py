"""The schedule's entry point: one round of tidying."""

from dataclasses import asdict
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas import wiring
from lambdas.telemetry import Telemetry

telemetry = Telemetry("janitor")


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    found = asdict(wiring.janitor().tidy())
    for name, count in found.items():
        telemetry.count(f"Jobs{name.capitalize()}", count)
    telemetry.log.info("round", extra=found)
    telemetry.publish()
    return found
