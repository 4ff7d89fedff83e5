"""Logs and metrics, as every function has them.

A presigned address is a right, and errors of HTTP name the addresses that they are about: what stands behind
the question mark of any address is not logged.
"""

import json
import logging
import re
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit, single_metric

NAMESPACE = "Cadenza"
QUERY = re.compile(r"\?[^\s\"'\\<>]*=[^\s\"'\\<>]*")

logging.getLogger("urllib3").setLevel(logging.ERROR)  # its warnings tell the whole address of each retry


class Telemetry:
    """A function's structured log and its counters, which are published once per invocation."""

    def __init__(self, service: str) -> None:
        self.log = Logger(service=service, json_serializer=_line)
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

    def warn(self, name: str, concerns: Mapping[str, str]) -> None:
        """Log what an operator may have to mend."""
        self.log.warning(name, extra=dict(concerns))

    def publish(self) -> None:
        """Write what was counted; nothing when nothing was."""
        if self._metrics.metric_set:
            self._metrics.flush_metrics()


def _line(event: dict[str, Any]) -> str:
    return QUERY.sub("?…", json.dumps(event, default=str, separators=(",", ":"), ensure_ascii=False))
