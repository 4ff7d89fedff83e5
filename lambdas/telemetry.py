"""Logs and metrics, as every function has them."""

from collections.abc import Mapping

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit, single_metric

NAMESPACE = "Cadenza"


class Telemetry:
    """A function's structured log and its counters, which are published once per invocation."""

    def __init__(self, service: str) -> None:
        self.log = Logger(service=service)
        self._metrics = Metrics(namespace=NAMESPACE, service=service)

    def count(self, name: str, by: int = 1) -> None:
        if by:
            self._metrics.add_metric(name, MetricUnit.Count, by)

    def tell(self, name: str, concerns: Mapping[str, str]) -> None:
        """Log an event, and count it by what it concerns."""
        self.log.info(name, extra=dict(concerns))
        with single_metric(name, MetricUnit.Count, 1, namespace=NAMESPACE) as metric:
            for dimension, value in concerns.items():
                metric.add_dimension(dimension, value)

    def publish(self) -> None:
        """Write what was counted; nothing when nothing was."""
        if self._metrics.metric_set:
            self._metrics.flush_metrics()
