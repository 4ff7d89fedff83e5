"""The laptop's SageMaker, held against the service's documented behaviour with its own SDK over HTTP."""

import json
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local import ACCOUNT, REGION
from local.emulator import Emulator
from local.environments import EMULATOR
from tests.local import fake_container, standin
from tests.local.fake_container import FakeContainer

DEAD = "http://127.0.0.1:9"  # the discard port: nobody listens
PRIVATE_POINTS = """
import inspect, json
from ministack import app
from ministack.core import router
from ministack.services.cloudformation import provisioners
router.SERVICE_PATTERNS["sagemaker"] = {"target_prefixes": ["SageMaker."]}
target = {"x-amz-target": "SageMaker.DescribeEndpoint"}
signed = {"authorization": "Credential=a/b/c/sagemaker/d"}
def names(function): return list(inspect.signature(function).parameters)
queue = provisioners._RESOURCE_HANDLERS["AWS::SQS::Queue"]
print(json.dumps({
    "handler": names(app.SERVICE_HANDLERS["sqs"]),
    "routed": router.detect_service("POST", "/endpoints/a/invocations", signed, {}),
    "described": router.detect_service("POST", "/", target, {}),
    "state": app._state_map["sqs"],
    "modules": isinstance(app._loaded_modules, dict),
    "enforce": names(app._enforce_data_plane)[:6],
    "create": len(names(queue["create"])),
    "delete": len(names(queue["delete"])),
    "sagemaker": "sagemaker" in app.SERVICE_HANDLERS,
}))
"""


@pytest.fixture(scope="module")
def container() -> Iterator[FakeContainer]:
    with fake_container.running() as started:
        yield started


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory, container: FakeContainer) -> Iterator[Emulator]:
    addresses = {"dead": DEAD, "*": container.address}
    with standin.emulator(tmp_path_factory.mktemp("standin"), addresses) as started:
        stack = standin.deploy(started, standin.template())
        assert stack["StackStatus"] == "CREATE_COMPLETE", stack
        yield started


@pytest.fixture(scope="module")
def work(emulator: Emulator) -> standin.Work:
    return standin.work(emulator)


Invoke = Callable[..., dict[str, Any]]


@pytest.fixture
def invoke(emulator: Emulator) -> Invoke:
    def call(name: str, body: object = None, **options: Any) -> dict[str, Any]:
        said = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        answer: dict[str, Any] = emulator.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=name, Body=said, **options
        )
        return answer

    return call


def refused(call: Callable[[], object]) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        call()
    return dict(caught.value.response)


def test_the_emulators_private_points_are_where_the_stand_in_registers_itself() -> None:
    code = "import ministack.services.sqs\n" + PRIVATE_POINTS

    told = subprocess.run([EMULATOR.ensure(), "-c", code], capture_output=True, text=True, check=True, env={})

    assert json.loads(told.stdout) == {
        "handler": ["method", "path", "headers", "body", "query_params"],
        "routed": "sagemaker",
        "described": "sagemaker",
        "state": "sqs",
        "modules": True,
        "enforce": ["service", "iam_action", "headers", "query_params", "request_id", "resource_arn"],
        "create": 3,
        "delete": 2,
        "sagemaker": False,
    }


def test_an_endpoint_is_described_as_its_stack_made_it(emulator: Emulator) -> None:
    found = emulator.client("sagemaker").describe_endpoint(EndpointName="async")

    assert (found["EndpointName"], found["EndpointStatus"]) == ("async", "InService")
    assert found["EndpointArn"] == f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/async"
    assert found["EndpointConfigName"].startswith("AsyncConfig-")
    assert found["ProductionVariants"][0]["CurrentInstanceCount"] == 1


def test_an_unknown_endpoint_is_no_endpoint_for_either_service(emulator: Emulator, invoke: Invoke) -> None:
    described = refused(lambda: emulator.client("sagemaker").describe_endpoint(EndpointName="nobody"))
    invoked = refused(lambda: invoke("nobody"))

    assert described["Error"]["Code"] == "ValidationException"
    assert invoked["Error"] == {
        "Code": "ValidationError",
        "Message": f"Endpoint nobody of account {ACCOUNT} not found.",
    }


def test_a_changed_configuration_reaches_an_endpoint_that_keeps_its_name(emulator: Emulator) -> None:
    def described() -> dict[str, Any]:
        found: dict[str, Any] = emulator.client("sagemaker").describe_endpoint(EndpointName="changing")
        return found

    def template(concurrency: int) -> dict[str, Any]:
        return {"Resources": standin.model() | standin.endpoint("changing", standin.serverless(concurrency))}

    standin.deploy(emulator, template(1), "changing")
    before = described()
    stack = standin.deploy(emulator, template(7), "changing", again=True)
    after = described()
    emulator.client("cloudformation").delete_stack(StackName="changing")

    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert after["ProductionVariants"][0]["CurrentServerlessConfig"] == {"MaxConcurrency": 7}
    assert after["EndpointConfigName"] != before["EndpointConfigName"]
    assert after["CreationTime"] == before["CreationTime"]
    assert refused(described)["Error"]["Code"] == "ValidationException"


def test_a_stack_that_sagemaker_would_refuse_fails_with_the_reason(emulator: Emulator) -> None:
    wrong = standin.model() | standin.endpoint("tiny", standin.serverless(1, memory=1000))

    stack = standin.deploy(emulator, {"Resources": wrong}, "tiny")

    events = emulator.client("cloudformation").describe_stack_events(StackName="tiny")
    reasons = [each.get("ResourceStatusReason", "") for each in events["StackEvents"]]
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert any("MemorySizeInMB is one of 1024, 2048" in reason for reason in reasons)


@pytest.mark.parametrize("name", ["gpu", "serverless"])
def test_a_request_reaches_the_container_whole_and_its_answer_comes_back(
    invoke: Invoke, container: FakeContainer, name: str
) -> None:
    answer = invoke(
        name,
        {"say": "a song"},
        ContentType="application/json",
        Accept="audio/wav",
        InferenceId="job-1",
        CustomAttributes="trace=1",
    )

    asked = container.asked[-1]
    assert answer["Body"].read() == b"a song"
    assert (answer["ContentType"], answer["InvokedProductionVariant"]) == ("audio/wav", "AllTraffic")
    assert answer["CustomAttributes"] == "/invocations"
    assert json.loads(container.bodies[-1]) == {"say": "a song"}
    assert (asked["content-type"], asked["accept"]) == ("application/json", "audio/wav")
    assert asked["x-amzn-sagemaker-inference-id"] == "job-1"
    assert asked["x-amzn-sagemaker-custom-attributes"] == "trace=1"
    assert "authorization" not in asked


@pytest.mark.parametrize(("status", "kind"), [(422, "client"), (503, "server")])
def test_a_container_that_refuses_is_a_model_error_with_its_own_words(
    invoke: Invoke, status: int, kind: str
) -> None:
    answer = refused(lambda: invoke("gpu", {"status": status, "say": "no such role"}))

    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert answer["Error"]["Code"] == "ModelError"
    assert (answer["OriginalStatusCode"], answer["OriginalMessage"]) == (status, "no such role")
    assert answer["Error"]["Message"].startswith(
        f'Received {kind} error ({status}) from primary with message "no such role". See https://'
    )


def test_a_container_that_nobody_started_is_a_model_error_without_a_status(invoke: Invoke) -> None:
    answer = refused(lambda: invoke("dead"))

    assert (answer["Error"]["Code"], answer["OriginalStatusCode"]) == ("ModelError", 0)
    assert "could not get a response from the dead endpoint" in answer["OriginalMessage"]


@pytest.mark.parametrize(("name", "most"), [("gpu", 6 << 20), ("serverless", 4 << 20)])
def test_payloads_are_bounded_in_both_directions(
    invoke: Invoke, container: FakeContainer, name: str, most: int
) -> None:
    asked = len(container.asked)

    inward = refused(lambda: invoke(name, b"x" * (most + 1)))
    outward = refused(lambda: invoke(name, {"bytes": most}))

    assert (inward["Error"]["Code"], inward["ResponseMetadata"]["HTTPStatusCode"]) == ("413", 413)
    assert inward["Error"]["Message"] == f"HTTP content length exceeded {most} bytes."
    assert outward["Error"]["Code"] == "ModelError"
    assert len(container.asked) == asked + 1
    assert len(invoke(name, {"say": "", "bytes": most})["Body"].read()) == most


def test_a_serverless_endpoint_throttles_beyond_its_concurrency(
    invoke: Invoke, container: FakeContainer
) -> None:
    with ThreadPoolExecutor(1) as caller, container.held():
        drain(container)
        first = caller.submit(invoke, "serverless", {"wait": True})
        assert container.working.acquire(timeout=30)

        second = refused(lambda: invoke("serverless"))

        assert not first.done()

    assert second["Error"]["Code"] == "ThrottlingException"
    assert first.result()["Body"].read() == b"made"
    assert invoke("serverless")["Body"].read() == b"made"


def test_each_kind_of_endpoint_refuses_the_call_of_the_other(invoke: Invoke, work: standin.Work) -> None:
    answers = [refused(lambda: invoke("async")), refused(lambda: work.ask("gpu"))]

    assert [each["Error"]["Code"] for each in answers] == ["ValidationError"] * 2


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
        drain(container)
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


def drain(container: FakeContainer) -> None:
    """Forget the requests that began before."""
    while container.working.acquire(blocking=False):
        pass
