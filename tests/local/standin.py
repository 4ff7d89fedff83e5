"""A stack of SageMaker endpoints on an emulator of its own, for tests of the stand-in alone."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local import ACCOUNT
from local.emulator import Emulator, free_pair
from local.environments import EMULATOR

STACK = "music"
BUCKET = "music-work"
LOOKS, PAUSE = 300, 0.1
DEAD = "http://127.0.0.1:9"  # the discard port: nobody listens
ROLE = f"arn:aws:iam::{ACCOUNT}:role/any"


@contextmanager
def emulator(folder: Path, containers: dict[str, str], *, auth: bool = False) -> Iterator[Emulator]:
    started = Emulator(EMULATOR.ensure(), folder, free_pair(), auth=auth, containers=containers)
    try:
        started.start()
        yield started
    finally:
        started.stop()


def variant(**properties: Any) -> dict[str, Any]:
    return {"ModelName": {"Fn::GetAtt": ["Model", "ModelName"]}, "VariantName": "AllTraffic", **properties}


INSTANCE = variant(InstanceType="ml.g5.xlarge", InitialInstanceCount=1)


def serverless(concurrency: int, memory: int = 6144) -> dict[str, Any]:
    return variant(ServerlessConfig={"MemorySizeInMB": memory, "MaxConcurrency": concurrency})


def asynchronous(concurrency: int = 1) -> dict[str, Any]:
    topics = {"SuccessTopic": {"Ref": "Done"}, "ErrorTopic": {"Ref": "Broken"}}
    paths = {"S3OutputPath": f"s3://{BUCKET}/out/", "S3FailurePath": f"s3://{BUCKET}/failed"}
    return {
        "ClientConfig": {"MaxConcurrentInvocationsPerInstance": concurrency},
        "OutputConfig": {**paths, "NotificationConfig": topics},
    }


def model() -> dict[str, Any]:
    described = {"ExecutionRoleArn": ROLE, "PrimaryContainer": {"Image": "any"}}
    return {"Model": {"Type": "AWS::SageMaker::Model", "Properties": described}}


def config(production: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An endpoint configuration's properties, of the model `small`."""
    return {"ProductionVariants": [{**production, "ModelName": "small"}], **more}


def endpoint(name: str, production: dict[str, Any], **config: Any) -> dict[str, Any]:
    """An endpoint and its configuration, as resources of a template."""
    logical = name.capitalize()
    described = {"ProductionVariants": [production], **config}
    named = {"Fn::GetAtt": [f"{logical}Config", "EndpointConfigName"]}
    return {
        f"{logical}Config": {"Type": "AWS::SageMaker::EndpointConfig", "Properties": described},
        logical: {
            "Type": "AWS::SageMaker::Endpoint",
            "Properties": {"EndpointName": name, "EndpointConfigName": named},
        },
    }


def template(**more: Any) -> dict[str, Any]:
    """Endpoints of every kind, and a queue that hears of asynchronous results."""
    hears = {"Endpoint": {"Fn::GetAtt": ["Heard", "Arn"]}, "Protocol": "sqs", "RawMessageDelivery": True}
    resources = {
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": BUCKET}},
        "Heard": {"Type": "AWS::SQS::Queue"},
        **model(),
        **endpoint("gpu", INSTANCE),
        **endpoint("dead", INSTANCE),
        **endpoint("serverless", serverless(1)),
        **endpoint("async", INSTANCE, AsyncInferenceConfig=asynchronous()),
    }
    for topic in ("Done", "Broken"):
        resources[topic] = {"Type": "AWS::SNS::Topic"}
        heard = {"TopicArn": {"Ref": topic}, **hears}
        resources[f"{topic}Heard"] = {"Type": "AWS::SNS::Subscription", "Properties": heard}
    return {"Resources": resources | more, "Outputs": {"Queue": {"Value": {"Ref": "Heard"}}}}


def deploy(
    emulator: Emulator, body: dict[str, Any], name: str = STACK, *, again: bool = False
) -> dict[str, Any]:
    """The stack's description once it has settled."""
    cloudformation = emulator.client("cloudformation")
    act = cloudformation.update_stack if again else cloudformation.create_stack
    act(StackName=name, TemplateBody=json.dumps(body))
    for _ in range(LOOKS):
        stack: dict[str, Any] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        if not stack["StackStatus"].endswith("_IN_PROGRESS"):
            return stack
        time.sleep(PAUSE)
    raise AssertionError(f"{name} never settled")


class Work:
    """What a caller of asynchronous endpoints does: leaves inputs, reads outputs, hears of them."""

    def __init__(self, emulator: Emulator, queue: str) -> None:
        self.emulator, self._queue, self._heard = emulator, queue, list[dict[str, Any]]()

    def ask(self, name: str = "async", body: object = None, **options: Any) -> dict[str, Any]:
        key = f"in/{time.time_ns()}.json"
        self.emulator.client("s3").put_object(Bucket=BUCKET, Key=key, Body=json.dumps(body or {}).encode())
        location = {} if "Body" in options else {"InputLocation": f"s3://{BUCKET}/{key}"}
        runtime = self.emulator.client("sagemaker-runtime")
        answer: dict[str, Any] = runtime.invoke_endpoint_async(EndpointName=name, **(location | options))
        return answer

    def object(self, location: str) -> dict[str, Any] | None:
        key = location.removeprefix(f"s3://{BUCKET}/")
        try:
            found: dict[str, Any] = self.emulator.client("s3").get_object(Bucket=BUCKET, Key=key)
        except ClientError:
            return None
        return found

    def heard(self, inference_id: str) -> dict[str, Any]:
        """The notification of this inference, once it has come."""
        for _ in range(LOOKS):
            for message in self._heard:
                if message["inferenceId"] == inference_id:
                    return message
            received = self.emulator.client("sqs").receive_message(
                QueueUrl=self._queue, MaxNumberOfMessages=10, WaitTimeSeconds=1
            )
            self._heard += [json.loads(each["Body"]) for each in received.get("Messages", [])]
        raise AssertionError(f"nothing was heard of {inference_id}")


def refused(call: Callable[[], object]) -> dict[str, Any]:
    """The error that this call is answered with."""
    with pytest.raises(ClientError) as caught:
        call()
    return dict(caught.value.response)


class Invoke:
    """What a caller of the other endpoints does."""

    def __init__(self, emulator: Emulator) -> None:
        self._runtime = emulator.client("sagemaker-runtime")

    def __call__(self, name: str, body: object = None, **options: Any) -> dict[str, Any]:
        said = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        answer: dict[str, Any] = self._runtime.invoke_endpoint(EndpointName=name, Body=said, **options)
        return answer


def work(emulator: Emulator) -> Work:
    stack = emulator.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
    told = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    return Work(emulator, told["Queue"])
