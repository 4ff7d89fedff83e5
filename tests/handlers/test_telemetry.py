"""What an operator can count: an event with what it concerns, as a metric of its own."""

import json
import logging
from collections.abc import Callable

import pytest
import urllib3

from lambdas.backends import progress, upload
from lambdas.core.errors import TransientError
from lambdas.telemetry import NAMESPACE, Telemetry

NOBODY = "http://127.0.0.1:1/raw/job-1/1?X-Amz-Credential=us&X-Amz-Signature=a-right"


def test_an_event_is_a_metric_by_what_it_concerns(capsys: pytest.CaptureFixture[str]) -> None:
    Telemetry("conductor").tell("BackendFailures", {"backend": "container", "code": "unreachable"})

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (metric,) = [line for line in lines if "_aws" in line]
    told = metric["_aws"]["CloudWatchMetrics"][0]
    assert (told["Namespace"], metric["BackendFailures"]) == (NAMESPACE, [1.0])
    assert [set(by) for by in told["Dimensions"]] == [{"backend", "code"}], "alarms are set on exactly these"
    assert (metric["backend"], metric["code"]) == ("container", "unreachable")


def test_what_an_operator_may_have_to_mend_is_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    Telemetry("mending").warn("HostRefuses", {"backend": "replicate", "code": "host_unpaid"})

    line = json.loads(capsys.readouterr().out)
    assert (line["level"], line["message"], line["backend"]) == ("WARNING", "HostRefuses", "replicate")


def store(link: str) -> None:
    upload.put(link, b"RIFF")


@pytest.mark.parametrize("ask", [progress.look, store])
def test_no_presigned_address_is_logged(
    ask: Callable[[str], object],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = Telemetry(ask.__name__).log  # a new one: a logger keeps the stream that it was made with

    try:
        ask(NOBODY)
    except TransientError:
        log.exception("message failed")

    told = capsys.readouterr().out
    assert "/raw/job-1/1?…" in json.loads(told)["exception"]
    assert "X-Amz" not in told
    assert [record.getMessage() for record in caplog.records if record.name.startswith("urllib3")] == []


def test_what_other_libraries_warn_of_is_still_heard() -> None:
    assert logging.getLogger("botocore").isEnabledFor(logging.WARNING)
    assert logging.getLogger(urllib3.__name__).isEnabledFor(logging.ERROR)
