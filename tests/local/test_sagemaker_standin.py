"""The laptop's SageMaker, held against the service's documented behaviour with its own SDK over HTTP."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local import ACCOUNT, REGION
from local.emulator import Emulator
from local.environments import EMULATOR
from tests.local import standin
from tests.local.fake_container import FakeContainer
from tests.local.standin import Invoke, refused

PRIVATE_POINTS = """
import inspect, json
from ministack import app
from ministack.core import lambda_runtime, router
from ministack.services.cloudformation import provisioners
router.SERVICE_PATTERNS["sagemaker"] = {"target_prefixes": ["SageMaker."]}
target = {"x-amz-target": "SageMaker.DescribeEndpoint"}
function = "arn:aws:lambda:us-east-1:000000000000:function:f"
signed = {"authorization": "Credential=a/b/c/sagemaker/d"}
def names(function): return list(inspect.signature(function).parameters)
queue = provisioners._RESOURCE_HANDLERS["AWS::SQS::Queue"]
print(json.dumps({
    "handler": names(app.SERVICE_HANDLERS["sqs"]),
    "routed": router.detect_service("POST", "/endpoints/a/invocations", signed, {}),
    "described": router.detect_service("POST", "/", target, {}),
    "state": app._state_map["sqs"],
    "modules": isinstance(app._loaded_modules, dict),
    "lent": lambda_runtime.execution_credentials({"FunctionArn": function, "Role": "r"}),
    "enforce": names(app._enforce_data_plane)[:6],
    "create": len(names(queue["create"])),
    "delete": len(names(queue["delete"])),
    "sagemaker": "sagemaker" in app.SERVICE_HANDLERS,
}))
"""


def test_the_emulators_private_points_are_where_the_stand_in_registers_itself() -> None:
    code = "import ministack.services.sqs\n" + PRIVATE_POINTS

    told = subprocess.run([EMULATOR.ensure(), "-c", code], capture_output=True, text=True, check=True, env={})

    assert json.loads(told.stdout) == {
        "handler": ["method", "path", "headers", "body", "query_params"],
        "routed": "sagemaker",
        "described": "sagemaker",
        "state": "sqs",
        "modules": True,
        "lent": {
            "AWS_ACCESS_KEY_ID": "000000000000",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_SESSION_TOKEN": "",
        },
        "enforce": ["service", "iam_action", "headers", "query_params", "request_id", "resource_arn"],
        "create": 3,
        "delete": 2,
        "sagemaker": False,
    }


def test_an_endpoint_is_described_as_its_stack_made_it(sagemaker: Emulator) -> None:
    found = sagemaker.client("sagemaker").describe_endpoint(EndpointName="async")

    assert (found["EndpointName"], found["EndpointStatus"]) == ("async", "InService")
    assert found["EndpointArn"] == f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/async"
    assert found["EndpointConfigName"].startswith("AsyncConfig-")
    assert found["ProductionVariants"][0]["CurrentInstanceCount"] == 1


def test_an_unknown_endpoint_is_no_endpoint_for_either_service(sagemaker: Emulator, invoke: Invoke) -> None:
    described = refused(lambda: sagemaker.client("sagemaker").describe_endpoint(EndpointName="nobody"))
    invoked = refused(lambda: invoke("nobody"))

    assert described["Error"]["Code"] == "ValidationException"
    assert invoked["Error"] == {
        "Code": "ValidationError",
        "Message": f"Endpoint nobody of account {ACCOUNT} not found.",
    }


def test_a_changed_configuration_reaches_an_endpoint_that_keeps_its_name(sagemaker: Emulator) -> None:
    def described() -> dict[str, Any]:
        found: dict[str, Any] = sagemaker.client("sagemaker").describe_endpoint(EndpointName="changing")
        return found

    def template(concurrency: int) -> dict[str, Any]:
        return {"Resources": standin.model() | standin.endpoint("changing", standin.serverless(concurrency))}

    standin.deploy(sagemaker, template(1), "changing")
    before = described()
    stack = standin.deploy(sagemaker, template(7), "changing", again=True)
    after = described()
    sagemaker.client("cloudformation").delete_stack(StackName="changing")

    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert after["ProductionVariants"][0]["CurrentServerlessConfig"] == {"MaxConcurrency": 7}
    assert after["EndpointConfigName"] != before["EndpointConfigName"]
    assert after["CreationTime"] == before["CreationTime"]
    assert refused(described)["Error"]["Code"] == "ValidationException"


def test_a_stack_that_sagemaker_would_refuse_fails_with_the_reason(sagemaker: Emulator) -> None:
    wrong = standin.model() | standin.endpoint("tiny", standin.serverless(1, memory=1000))

    stack = standin.deploy(sagemaker, {"Resources": wrong}, "tiny")

    events = sagemaker.client("cloudformation").describe_stack_events(StackName="tiny")
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
        container.drained()
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
