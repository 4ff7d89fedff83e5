"""What an operator can count: an event with what it concerns, as a metric of its own."""

import json

import pytest

from lambdas.telemetry import NAMESPACE, Telemetry


def test_an_event_is_a_metric_by_what_it_concerns(capsys: pytest.CaptureFixture[str]) -> None:
    Telemetry("conductor").tell("BackendFailures", {"backend": "container", "code": "unreachable"})

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (metric,) = [line for line in lines if "_aws" in line]
    told = metric["_aws"]["CloudWatchMetrics"][0]
    assert (told["Namespace"], metric["BackendFailures"]) == (NAMESPACE, [1.0])
    assert set(told["Dimensions"][0]) >= {"backend", "code"}
    assert (metric["backend"], metric["code"]) == ("container", "unreachable")
