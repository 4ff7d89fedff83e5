"""What the laptop's SageMaker keeps, refuses to make, and lets whom invoke."""

import asyncio
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local import ACCOUNT, REGION
from local.emulator import Emulator
from local.sagemaker import endpoints
from local.sagemaker.answers import Refusal
from local.sagemaker.endpoints import Endpoint, Endpoints
from local.sagemaker.models import Rejected
from local.sagemaker.realtime import RealTime
from local.sagemaker.scaling import Scaling
from tests.local import fake_container, standin
from tests.local.standin import INSTANCE, asynchronous, config, serverless, variant

GPU = Endpoint("gpu", "config", "role", "AllTraffic", 1, None, None, 0, 0)


def test_endpoints_and_what_they_were_asked_outlive_the_process(tmp_path: Path) -> None:
    with fake_container.running() as container:
        addresses = {"*": container.address}
        with standin.emulator(tmp_path, addresses) as emulator, container.held():
            standin.deploy(emulator, standin.template())
            asked = [standin.work(emulator).ask(body={"wait": True, "say": say}) for say in ("one", "two")]
            assert container.working.acquire(timeout=30)
            emulator.save()
            emulator.stop()

        with standin.emulator(tmp_path, addresses) as emulator:
            work = standin.work(emulator)
            told = [work.heard(each["InferenceId"])["invocationStatus"] for each in asked]
            outputs = [work.object(each["OutputLocation"]) for each in asked]
            answer = emulator.client("sagemaker-runtime").invoke_endpoint(EndpointName="gpu", Body=b"{}")

    assert told == ["Completed", "Completed"]
    assert [each and each["ContentType"] for each in outputs] == ["audio/wav", "audio/wav"]
    assert answer["ContentType"] == "audio/wav"


def test_only_whom_a_policy_names_may_invoke_an_endpoint_or_store_its_answers(tmp_path: Path) -> None:
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/gpu"
    grant = {"Effect": "Allow", "Action": "sagemaker:InvokeEndpoint", "Resource": arn}
    with (
        fake_container.running() as container,
        standin.emulator(tmp_path, {"*": container.address}, auth=True) as emulator,
    ):
        standin.deploy(emulator, standin.template())
        granted, stranger = _user(emulator, "granted", [grant]), _user(emulator, "stranger", [])

        answer = granted.invoke_endpoint(EndpointName="gpu", Body=b"{}")
        elsewhere = _code(lambda: granted.invoke_endpoint(EndpointName="dead", Body=b"{}"))
        refused = _code(lambda: stranger.invoke_endpoint(EndpointName="gpu", Body=b"{}"))
        queued = standin.work(emulator).ask()
        while "was given up" not in emulator.log.read_text():
            time.sleep(standin.PAUSE)
        stored = standin.work(emulator).object(queued["OutputLocation"])

    assert answer["Body"].read() == b"made"
    assert [elsewhere, refused] == ["AccessDeniedException"] * 2
    assert stored is None


def _user(emulator: Emulator, name: str, statements: list[dict[str, str]]) -> Any:
    """The runtime, as a user with these rights."""
    iam = emulator.client("iam")
    iam.create_user(UserName=name)
    if statements:
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    session: Any = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=REGION)
    settings = Config(proxies={}, retries={"total_max_attempts": 1})
    return session.client("sagemaker-runtime", endpoint_url=emulator.endpoint, config=settings)


def _code(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


async def _invoked_late(address: str) -> Refusal:
    with ThreadPoolExecutor(1) as threads, pytest.raises(Refusal) as caught:
        await RealTime(threads, seconds=0.2).invoke(GPU, address, {}, b'{"wait": true}')
    return caught.value


def test_a_container_that_takes_longer_than_it_may_is_a_model_error_without_a_status() -> None:
    with fake_container.running() as container, container.held():
        refusal = asyncio.run(_invoked_late(container.address))

    assert (refusal.status, refusal.code) == (424, "ModelError")
    assert refusal.details["OriginalStatusCode"] == 0
    assert "timed out while waiting for a response from container primary" in refusal.message


@pytest.mark.parametrize(
    ("described", "said"),
    [
        (
            config(INSTANCE) | {"ProductionVariants": [{**INSTANCE, "ModelName": "none"}]},
            "Could not find model",
        ),
        (config(serverless(201)), "MaxConcurrency is 1 to 200"),
        (config(serverless(1), AsyncInferenceConfig=asynchronous()), "cannot be invoked asynchronously"),
        (config(variant()), "either a ServerlessConfig or an InstanceType"),
        (config(serverless(1) | INSTANCE), "either a ServerlessConfig or an InstanceType"),
        (config(INSTANCE, AsyncInferenceConfig={"OutputConfig": {}}), "no S3 path"),
        (config(INSTANCE, AsyncInferenceConfig=asynchronous(0)), "MaxConcurrentInvocationsPerInstance"),
        (config(INSTANCE) | {"EndpointConfigName": "a_b"}, "is no name"),
        (config(INSTANCE) | {"EndpointConfigName": "async"}, "already existing endpoint-config"),
        ({"ProductionVariants": []}, "exactly one production variant"),
    ],
)
def test_endpoint_configurations_that_sagemaker_would_not_make(
    made: Endpoints, described: dict[str, Any], said: str
) -> None:
    with pytest.raises(Rejected, match=said):
        made.make_config("Config", described)


def changed(made: Endpoints, **properties: Any) -> str:
    reference = endpoints.arn("endpoint", "serverless")
    made.make_config("Config", {"EndpointConfigName": "other", **config(serverless(2))})
    return made.change_endpoint("Endpoint", reference, {"EndpointName": "serverless", **properties})[0]


def test_an_endpoint_of_another_name_takes_the_place_of_the_former(made: Endpoints) -> None:
    reference = changed(made, EndpointName="another", EndpointConfigName="other")

    assert reference == endpoints.arn("endpoint", "another")
    assert made.find("serverless") is None
    assert made.find("another") is not None


def test_an_endpoint_cannot_become_one_of_another_mode(made: Endpoints) -> None:
    with pytest.raises(Rejected, match="serverless is serverless and cannot become asynchronous"):
        changed(made, EndpointConfigName="async")

    found = made.find("serverless")
    assert found is not None
    assert found.serverless == 1


def test_references_are_what_cloudformation_makes_of_them(made: Endpoints) -> None:
    reference, attributes = made.make_config("SmallConfig", config(INSTANCE))

    name = attributes["EndpointConfigName"]
    assert name.startswith("SmallConfig-")
    assert reference == f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint-config/{name.lower()}"
    assert reference == endpoints.arn("endpoint-config", name)


def target(resource: str, least: int = 0, most: int = 1) -> dict[str, Any]:
    return {
        "ServiceNamespace": "sagemaker",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "ResourceId": resource,
        "MinCapacity": least,
        "MaxCapacity": most,
    }


def test_an_asynchronous_endpoint_may_scale_to_zero(made: Endpoints) -> None:
    identifier, attributes = Scaling(made).make_target(target("endpoint/async/variant/AllTraffic"))

    assert identifier == attributes["Id"]
    assert identifier.startswith("endpoint/async/variant/AllTraffic|")


@pytest.mark.parametrize(
    "described",
    [
        target("endpoint/none/variant/AllTraffic"),
        target("endpoint/async/variant/Other"),
        target("endpoint/serverless/variant/AllTraffic"),
        target("endpoint/async/variant/AllTraffic", 2, 1),
        target("endpoint/async/variant/AllTraffic") | {"ScalableDimension": "ecs:service:DesiredCount"},
    ],
)
def test_targets_that_application_auto_scaling_would_not_take(
    made: Endpoints, described: dict[str, Any]
) -> None:
    with pytest.raises(Rejected):
        Scaling(made).make_target(described)


def test_a_scaling_policy_needs_a_target_and_its_own_configuration(made: Endpoints) -> None:
    steps = {"StepScalingPolicyConfiguration": {"AdjustmentType": "ChangeInCapacity"}}
    described = {"PolicyName": "wake", "PolicyType": "StepScaling", "ScalingTargetId": "endpoint/async|x"}

    reference, attributes = Scaling(made).make_policy(described | steps)

    assert reference.endswith("policyName/wake")
    assert attributes["PolicyName"] == "wake"
    for wrong in (described, described | steps | {"ScalingTargetId": None}):
        with pytest.raises(Rejected):
            Scaling(made).make_policy(wrong)
