"""The schedule's entry point: one round of tidying."""

from dataclasses import asdict
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas import wiring

log = Logger(service="janitor")
metrics = Metrics(namespace="Cadenza", service="janitor")


@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    found = asdict(wiring.janitor().tidy())
    for name, count in found.items():
        if count:
            metrics.add_metric(f"Jobs{name.capitalize()}", MetricUnit.Count, count)
    log.info("round", extra=found)
    return found
