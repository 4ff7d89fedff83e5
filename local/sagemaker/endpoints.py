"""Models, endpoint configurations and endpoints: the records that CloudFormation makes and invocations read.

Knows the properties of the three resource types, and refuses what SageMaker would. Records are plain JSON, so
that they can lie beside the emulator's own state. An endpoint keeps a copy of the configuration that it was
made with: as in AWS, that configuration may be deleted under it.
"""

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from local import ACCOUNT, REGION
from local.sagemaker.models import Properties, Rejected, check_model, check_serverless

Kind = Literal["model", "endpoint-config", "endpoint"]
Made = tuple[str, dict[str, str]]
"""What `Ref` gives, and what `Fn::GetAtt` gives by attribute."""

NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
MEMORY_SIZES = range(1024, 6144 + 1, 1024)
MOST_SERVERLESS_CONCURRENCY = 200
MOST_ASYNCHRONOUS_CONCURRENCY = 1000


@dataclass(frozen=True)
class Asynchronous:
    output: str
    failure: str | None
    success_topic: str | None
    error_topic: str | None
    concurrency: int


@dataclass(frozen=True)
class Endpoint:
    """`serverless` is how many requests it answers at a time, None when it is made of instances."""

    name: str
    config: str
    role: str
    variant: str
    instances: int
    serverless: int | None
    asynchronous: Asynchronous | None
    created: float
    modified: float


class Endpoints:
    """What was made, by kind and name. Raises Rejected."""

    def __init__(self) -> None:
        self._made: dict[Kind, dict[str, dict[str, Any]]] = {
            "model": {},
            "endpoint-config": {},
            "endpoint": {},
        }

    def state(self) -> dict[str, Any]:
        return {kind: dict(records) for kind, records in self._made.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        for kind, records in self._made.items():
            records |= state.get(kind, {})

    def described(self, kind: Kind, name: str) -> Properties | None:
        """What a model or a configuration was made with."""
        record = self._made[kind].get(name)
        return None if record is None else record["properties"]

    def find(self, name: str) -> Endpoint | None:
        record = self._made["endpoint"].get(name)
        return None if record is None else Endpoint(name=name, **_details(record))

    def make_model(self, logical_id: str, properties: Properties) -> Made:
        name = _name(properties.get("ModelName"), logical_id)
        check_model(name, properties)
        return self._make("model", name, {"properties": dict(properties)})

    def make_config(self, logical_id: str, properties: Properties) -> Made:
        name = _name(properties.get("EndpointConfigName"), logical_id)
        model = _variant(properties).get("ModelName")
        if model not in self._made["model"]:
            raise Rejected(f"Could not find model {arn('model', str(model))}.")
        described = self._made["model"][model]["properties"]
        if read_config(properties)["serverless"] is not None:
            check_serverless(model, described)
        record = {"properties": dict(properties), "role": described["ExecutionRoleArn"]}
        return self._make("endpoint-config", name, record)

    def make_endpoint(self, logical_id: str, properties: Properties) -> Made:
        name = _name(properties.get("EndpointName"), logical_id)
        return self._make("endpoint", name, self._configured(properties))

    def change_endpoint(self, logical_id: str, endpoint_arn: str, properties: Properties) -> Made:
        """Another configuration for the same endpoint; another endpoint where its name is another."""
        name = self._name_of("endpoint", endpoint_arn)
        if properties.get("EndpointName") not in (None, name):
            another = self.make_endpoint(logical_id, properties)
            self.forget("endpoint", endpoint_arn)
            return another
        former, configured = self._made["endpoint"][name], self._configured(properties)
        if _mode(former) != _mode(configured):
            raise Rejected(f"Endpoint {name} is {_mode(former)} and cannot become {_mode(configured)}.")
        del self._made["endpoint"][name]
        return self._make("endpoint", name, {**configured, "created": former["created"]})

    def forget(self, kind: Kind, resource_arn: str) -> None:
        self._made[kind].pop(self._name_of(kind, resource_arn), None)

    def _make(self, kind: Kind, name: str, record: dict[str, Any]) -> Made:
        if name in self._made[kind]:
            raise Rejected(f"Cannot create already existing {kind} {arn(kind, name)}.")
        self._made[kind][name] = record
        attribute = {"model": "ModelName", "endpoint-config": "EndpointConfigName"}.get(kind, "EndpointName")
        return arn(kind, name), {attribute: name}

    def _name_of(self, kind: Kind, resource_arn: str) -> str:
        return next((name for name in self._made[kind] if arn(kind, name) == resource_arn), "")

    def _configured(self, properties: Properties) -> dict[str, Any]:
        config = properties.get("EndpointConfigName")
        found = self._made["endpoint-config"].get(str(config))
        if found is None:
            raise Rejected(f"Could not find endpoint configuration {arn('endpoint-config', str(config))}.")
        now = time.time()
        return {"config": config, **found, "created": now, "modified": now}


def arn(kind: Kind, name: str) -> str:
    """SageMaker writes its ARNs in lower case, whatever the case of the name."""
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/{name.lower()}"


def _name(given: str | None, logical_id: str) -> str:
    name = given or f"{re.sub('[^a-zA-Z0-9]', '', logical_id)[:50]}-{secrets.token_hex(6)}"
    if not NAME.fullmatch(name):
        raise Rejected(f"{name!r} is no name for a SageMaker resource: it must match {NAME.pattern}.")
    return name


def _mode(record: Mapping[str, Any]) -> str:
    details = _details(record)
    if details["serverless"] is not None:
        return "serverless"
    return "real-time" if details["asynchronous"] is None else "asynchronous"


def _details(record: Mapping[str, Any]) -> dict[str, Any]:
    own = {key: record[key] for key in ("config", "role", "created", "modified")}
    return own | read_config(record["properties"])


def read_config(properties: Properties) -> dict[str, Any]:
    """An Endpoint's fields, of an endpoint configuration's properties. Raises Rejected."""
    variant = _variant(properties)
    serverless, asynchronous = variant.get("ServerlessConfig"), properties.get("AsyncInferenceConfig")
    if serverless is not None and asynchronous is not None:
        raise Rejected("A serverless variant cannot be invoked asynchronously.")
    if (serverless is None) == (variant.get("InstanceType") is None):
        raise Rejected("A variant has either a ServerlessConfig or an InstanceType.")
    return {
        "variant": variant.get("VariantName", "AllTraffic"),
        "instances": 0 if serverless else int(variant.get("InitialInstanceCount", 1)),
        "serverless": None if serverless is None else _concurrency(serverless),
        "asynchronous": None if asynchronous is None else _asynchronous(asynchronous),
    }


def _variant(properties: Properties) -> Mapping[str, Any]:
    variants = properties.get("ProductionVariants") or []
    if len(variants) != 1:
        raise Rejected("The stand-in knows endpoint configurations of exactly one production variant.")
    variant: Mapping[str, Any] = variants[0]
    return variant


def _concurrency(serverless: Mapping[str, Any]) -> int:
    memory, concurrency = int(serverless["MemorySizeInMB"]), int(serverless["MaxConcurrency"])
    if memory not in MEMORY_SIZES:
        raise Rejected(f"MemorySizeInMB is one of {', '.join(map(str, MEMORY_SIZES))}, not {memory}.")
    if not 1 <= concurrency <= MOST_SERVERLESS_CONCURRENCY:
        raise Rejected(f"MaxConcurrency is 1 to {MOST_SERVERLESS_CONCURRENCY}, not {concurrency}.")
    return concurrency


def _asynchronous(properties: Properties) -> Asynchronous:
    output, client = properties["OutputConfig"], properties.get("ClientConfig") or {}
    topics = output.get("NotificationConfig") or {}
    if topics.get("IncludeInferenceResponseIn"):
        raise Rejected("The stand-in puts no response into notifications: leave IncludeInferenceResponseIn.")
    concurrency = int(client.get("MaxConcurrentInvocationsPerInstance", 1))
    if not 1 <= concurrency <= MOST_ASYNCHRONOUS_CONCURRENCY:
        raise Rejected(f"MaxConcurrentInvocationsPerInstance is 1 to {MOST_ASYNCHRONOUS_CONCURRENCY}.")
    return Asynchronous(
        output=_location(output.get("S3OutputPath")),
        failure=_location(output["S3FailurePath"]) if output.get("S3FailurePath") else None,
        success_topic=topics.get("SuccessTopic"),
        error_topic=topics.get("ErrorTopic"),
        concurrency=concurrency,
    )


def _location(path: str | None) -> str:
    if path is None or not re.fullmatch(r"s3://[^/]+(/.*)?", path):
        raise Rejected(f"{path!r} is no S3 path for an asynchronous endpoint's outputs.")
    return path.rstrip("/")
