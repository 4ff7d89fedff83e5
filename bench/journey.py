"""Whole jobs in this process: the very handlers, against an emulated cloud, every call counted and timed.

The conductor's event source is paused meanwhile and its queue emptied by hand, so that each message is
handled here. What is timed is a handler's own time, warm; the emulator's way of running functions is not in
it, its answers to our calls are.
"""

import io
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from typing import Any

from bench import events, prices
from bench.metering import Meter
from local import REGION
from local.cloud import LocalCloud

API, CONDUCTOR = "ApiFunction", "ConductorFunction"
API_MB, CONDUCTOR_MB = 512, 2048
VARIABLE = "CADENZA_SETTINGS"
UNCACHED = {"cache-control": "no-cache"}  # a seeded request must be made anew each time


@dataclass
class Journey:
    """One job: a handler's milliseconds per invocation, and what was asked of AWS."""

    meter: Meter = field(default_factory=Meter)
    api_ms: list[float] = field(default_factory=list)
    conductor_ms: list[float] = field(default_factory=list)
    music_s: float = 0.0  # composing and mastering
    gigabytes: float = 0.0
    wav_gigabytes: float = 0.0

    @property
    def lambda_ms(self) -> float:
        return sum(self.api_ms) + sum(self.conductor_ms)


class Stage:
    """The deployed tables, queues and buckets of a running cloud, and its functions' code in this process."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._queue = cloud.outputs["QueueUrl"]
        self._sqs = cloud.client("sqs")
        self._journey = Journey()
        _become(cloud)
        from lambdas import api, conductor, wiring
        from lambdas.audio.mastering import Mastering
        from lambdas.aws import clients
        from lambdas.backends import mock, upload

        clients.session().register("before-call", self._before_call)
        self._upload = upload.put
        vars(upload)["put"] = self._put
        vars(mock)["music"] = self._timed(mock.music)
        setattr(Mastering, "master", self._timed(Mastering.master))  # noqa: B010 - a method, for mypy
        os.environ[VARIABLE] = _settings(cloud, API)
        wiring.api()
        os.environ[VARIABLE] = _settings(cloud, CONDUCTOR)
        self._parts = wiring.conducting()
        self._api, self._conductor = api.handler, conductor.handler

    def travel(self, request: dict[str, Any]) -> Journey:
        """POST, every step of the conductor, and the GET that reads the finished job."""
        self._journey = journey = Journey()
        answer = self._invoke(self._api, events.post(0, request, UNCACHED), journey.api_ms)
        job_id = answer["multiValueHeaders"]["Location"][0].rpartition("/")[2]
        while message := self._receive():
            event = events.message(message["Body"], message["ReceiptHandle"])
            failed = self._invoke(self._conductor, event, journey.conductor_ms)["batchItemFailures"]
            if failed:
                raise SystemExit(f"A message of job {job_id} failed.")
            self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        answer = self._invoke(self._api, events.get(f"/jobs/{job_id}"), journey.api_ms)
        if '"completed"' not in answer["body"]:
            raise SystemExit(f"The job did not complete: {answer['body']}")
        self._journey = Journey()  # what follows is not the job's doing
        self._weigh(job_id, journey)
        self._price(journey)
        return journey

    def _invoke(self, handler: Any, event: dict[str, Any], spent: list[float]) -> Any:
        started = time.perf_counter()
        with redirect_stdout(io.StringIO()):
            answer = handler(event, events.Context())
        spent.append(1e3 * (time.perf_counter() - started))
        return answer

    def _receive(self) -> dict[str, Any] | None:
        found = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=1, WaitTimeSeconds=1)
        messages: list[dict[str, Any]] = found.get("Messages", [])
        return messages[0] if messages else None

    def _before_call(self, **told: Any) -> None:
        self._journey.meter.before_call(**told)

    def _put(self, url: str, data: bytes) -> None:
        self._journey.meter.sent("s3", "PutObject (presigned)", prices.S3_PUT)
        self._upload(url, data)

    def _price(self, journey: Journey) -> None:
        """What AWS bills beside our own calls: invocations, polls, storage, a trace of each invocation."""
        meter = journey.meter
        for ms in journey.api_ms:
            meter.usd["lambda"] += prices.lambda_usd(ms, API_MB)
            meter.usd["api_gateway"] += prices.API_GATEWAY_REQUEST
        for ms in journey.conductor_ms:
            meter.usd["lambda"] += prices.lambda_usd(ms, CONDUCTOR_MB)
            meter.usd["sqs"] += 2 * prices.SQS_REQUEST  # received and deleted by Lambda itself
        # Somebody listens once; the files are kept for a day.
        meter.usd["s3"] += prices.S3_GET + journey.gigabytes * prices.S3_GB_MONTH / 30
        meter.usd["xray"] += prices.TRACE * (len(journey.api_ms) + len(journey.conductor_ms))

    def music(self, job_id: str) -> float:
        """Seconds that composing and mastering a finished job's piece takes in this process, alone."""
        from lambdas.core.shelving import label

        job = self._parts.conductor.jobs.get(job_id)
        if job is None:
            raise SystemExit(f"Job {job_id} is gone.")
        self._journey = Journey()
        backend = self._parts.conductor.asking.backends["mock"]
        raw = backend.compose(job.piece)  # type: ignore[attr-defined]
        self._parts.conductor.finishing.mastering.master(raw, label(job))
        return self._journey.music_s

    def _timed(self, make: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any) -> Any:
            started = time.perf_counter()
            made = make(*given)
            self._journey.music_s += time.perf_counter() - started
            return made

        return timed

    def _weigh(self, job_id: str, journey: Journey) -> None:
        job = self._parts.conductor.jobs.get(job_id)
        if job is None or job.audio is None:
            raise SystemExit(f"Job {job_id} has no audio.")
        sizes = {form.value: file.bytes / 1e9 for form, file in job.audio.files.items()}
        journey.gigabytes, journey.wav_gigabytes = sum(sizes.values()), sizes["wav"]


@contextmanager
def paused(cloud: LocalCloud) -> Iterator[None]:
    """The conductor's event source does not fire while the block runs."""
    client = cloud.client("lambda")
    function = _function(cloud, CONDUCTOR)["FunctionName"]
    mapping = client.list_event_source_mappings(FunctionName=function)["EventSourceMappings"][0]["UUID"]
    client.update_event_source_mapping(UUID=mapping, Enabled=False)
    time.sleep(2)  # a poll already under way still takes what it finds
    try:
        yield
    finally:
        client.update_event_source_mapping(UUID=mapping, Enabled=True)


def _become(cloud: LocalCloud) -> None:
    """From here on, this process's AWS is the emulated one."""
    os.environ |= {
        "AWS_ENDPOINT_URL": cloud.endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
        "POWERTOOLS_LOG_LEVEL": "CRITICAL",
        "NO_PROXY": "127.0.0.1",
    }


def _settings(cloud: LocalCloud, name: str) -> str:
    return str(_function(cloud, name)["Environment"]["Variables"][VARIABLE])


def _function(cloud: LocalCloud, name: str) -> dict[str, Any]:
    functions: list[dict[str, Any]] = cloud.client("lambda").list_functions()["Functions"]
    return next(function for function in functions if name in function["FunctionName"])
