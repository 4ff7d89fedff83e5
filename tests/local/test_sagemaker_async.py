"""InvokeEndpointAsync of the laptop's SageMaker, with the service's own SDK over HTTP."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local import REGION
from local.sagemaker.account import Account
from local.sagemaker.asynchronous import Queue
from local.sagemaker.endpoints import Endpoints
from tests.local import standin
from tests.local.fake_container import FakeContainer
from tests.local.standin import refused


def test_an_asynchronous_output_lies_in_s3_before_it_is_told(
    work: standin.Work, container: FakeContainer
) -> None:
    answer = work.ask(body={"say": "a song"}, InferenceId="job-7", Accept="audio/wav")

    message = work.heard("job-7")
    output = work.object(answer["OutputLocation"])
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["InferenceId"]) == (202, "job-7")
    assert output is not None
    assert (output["Body"].read(), output["ContentType"]) == (b"a song", "audio/wav")
    assert answer["OutputLocation"].endswith(".out")
    assert work.object(answer["FailureLocation"]) is None
    assert container.asked[-1]["x-amzn-sagemaker-inference-id"] == "job-7"
    assert message.pop("eventTime") >= message.pop("receivedTime")
    assert message.pop("requestParameters").pop("inputLocation").startswith(f"s3://{standin.BUCKET}/in/")
    assert message == {
        "awsRegion": REGION,
        "invocationStatus": "Completed",
        "responseParameters": {"contentType": "audio/wav", "outputLocation": answer["OutputLocation"]},
        "inferenceId": "job-7",
        "eventVersion": "1.0",
        "eventSource": "aws:sagemaker",
        "eventName": "InferenceResult",
    }


def test_an_asynchronous_failure_leaves_the_containers_words_and_is_told(work: standin.Work) -> None:
    answer = work.ask(body={"status": 500, "say": "out of memory"})

    message = work.heard(answer["InferenceId"])
    failure = work.object(answer["FailureLocation"])
    assert message["invocationStatus"] == "Failed"
    assert message["failureReason"].startswith("ClientError: Received server error (500) from model.")
    assert message["responseParameters"] == {"failureLocation": answer["FailureLocation"]}
    assert failure is not None
    assert failure["Body"].read() == b"out of memory"
    assert work.object(answer["OutputLocation"]) is None


def test_an_input_that_is_not_there_fails_without_asking_the_container(
    work: standin.Work, container: FakeContainer
) -> None:
    asked = len(container.asked)

    answer = work.ask(InputLocation=f"s3://{standin.BUCKET}/in/nothing.json")

    assert "in/nothing.json could not be read" in work.heard(answer["InferenceId"])["failureReason"]
    assert len(container.asked) == asked


def test_an_asynchronous_input_may_come_with_the_request_and_the_output_may_be_named(
    work: standin.Work, container: FakeContainer
) -> None:
    answer = work.ask(Body=b'{"say": "inline"}', S3OutputPathExtension="jobs/7", Filename="song.wav")

    work.heard(answer["InferenceId"])
    output = work.object(answer["OutputLocation"])
    assert answer["OutputLocation"] == f"s3://{standin.BUCKET}/out/jobs/7/song.wav"
    assert output is not None
    assert output["Body"].read() == b"inline"


@pytest.mark.parametrize(
    "options",
    [
        {"RequestTTLSeconds": 21601},
        {"InvocationTimeoutSeconds": 3601},
        {"InputLocation": "ftp://music/input.json"},
        {"InputLocation": f"s3://{standin.BUCKET}/in/1.json", "Body": b"{}"},
    ],
)
def test_asynchronous_requests_that_sagemaker_would_not_take_are_refused(
    work: standin.Work, options: dict[str, Any]
) -> None:
    assert refused(lambda: work.ask(**options))["Error"]["Code"] == "ValidationError"


def test_an_instance_works_at_as_many_asynchronous_requests_as_it_may(
    work: standin.Work, container: FakeContainer
) -> None:
    with container.held():
        container.drained()
        answers = [work.ask(body={"wait": True}) for _ in range(3)]
        assert container.working.acquire(timeout=30)

        assert not container.working.acquire(timeout=0.5)

    assert [work.heard(each["InferenceId"])["invocationStatus"] for each in answers] == ["Completed"] * 3


def test_a_container_that_outlasts_its_time_fails_the_asynchronous_request(
    work: standin.Work, container: FakeContainer
) -> None:
    with container.held():
        answer = work.ask(body={"wait": True}, InvocationTimeoutSeconds=1)

        message = work.heard(answer["InferenceId"])

    assert message["invocationStatus"] == "Failed"
    assert "timed out while waiting for a response" in message["failureReason"]


class Telling(Account):
    """An account of which only what is written and told is of interest."""

    def __init__(self) -> None:
        self.written: dict[str, bytes] = {}
        self.told: list[Any] = []

    def write(self, location: str, body: bytes, _content_type: str) -> None:
        self.written[location] = body

    def tell(self, topic: str, message: object) -> None:
        self.told.append((topic, message))


def test_what_ends_after_the_emulator_began_to_stop_is_done_again_by_the_next(
    made: Endpoints, container: FakeContainer
) -> None:
    endpoint, account = made.find("async"), Telling()
    assert endpoint is not None

    async def ask_and_stop() -> None:
        with ThreadPoolExecutor(1) as threads:
            queue = Queue(made, lambda _: account, lambda _: container.address, threads)
            with container.held():
                container.drained()
                queue.accept(endpoint, {}, b'{"wait": true}')
                assert await asyncio.to_thread(container.working.acquire, timeout=30)
                queue.suspend()
        await asyncio.sleep(0.1)
        kept.extend(queue.state())

    kept: list[dict[str, Any]] = []
    asyncio.run(ask_and_stop())

    assert [each["endpoint"] for each in kept] == ["async"]


def test_a_request_that_waited_too_long_expires_and_is_told_so(made: Endpoints) -> None:
    account = Telling()

    async def resume() -> None:
        with ThreadPoolExecutor(1) as threads:
            queue = Queue(made, lambda _: account, lambda _: None, threads)
            queue.restore([waiting])
            queue.resume()
            while queue.state():
                await asyncio.sleep(0.01)

    waiting: dict[str, Any] = {
        "inference_id": "job-1",
        "endpoint": "async",
        "location": "s3://music/in.json",
        "inline": None,
        "output": "s3://music/out/1.out",
        "failure": "s3://music/failed/1-error.out",
        "received": time.time() - 60,
        "expires": time.time() - 1,
        "seconds": 1,
        "headers": {},
    }
    asyncio.run(resume())

    [(topic, message)] = account.told
    assert topic == {"Ref": "Broken"}
    assert (message["invocationStatus"], message["inferenceId"]) == ("Expired", "job-1")
    assert list(account.written) == ["s3://music/failed/1-error.out"]
