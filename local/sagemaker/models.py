"""What SageMaker refuses of a model, and of a model behind a serverless endpoint.

The rules are those of ContainerDefinition and S3ModelDataSource in SageMaker's own description, and of
https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html ("Feature exclusions"). Whether the
data lie where a model says is not asked: here a server runs that was given its folder.
"""

from collections.abc import Mapping
from typing import Any

Properties = Mapping[str, Any]


class Rejected(ValueError):
    """SageMaker would not make this resource; the message says why."""


def check_model(name: str, properties: Properties) -> None:
    """Raises Rejected."""
    containers = _containers(properties)
    if not properties.get("ExecutionRoleArn"):
        raise Rejected(f"Model {name} needs an ExecutionRoleArn.")
    if not any(each.get("Image") for each in containers):
        raise Rejected(f"Model {name} needs a container with an Image.")
    for container in containers:
        _check_data(name, container)


def check_serverless(name: str, properties: Properties) -> None:
    """Raises Rejected when this model cannot be behind a serverless endpoint."""
    unsupported = [field for field in ("VpcConfig", "EnableNetworkIsolation") if properties.get(field)]
    if any("ModelDataSource" in each for each in _containers(properties)):
        unsupported.append("ModelDataSource")
    if unsupported:
        raise Rejected(f"Model {name} has {', '.join(unsupported)}: not for serverless endpoints.")


def _containers(properties: Properties) -> list[Properties]:
    return [each for each in (properties.get("PrimaryContainer"), *properties.get("Containers", [])) if each]


def _check_data(name: str, container: Properties) -> None:
    url, source = container.get("ModelDataUrl"), container.get("ModelDataSource")
    if url is not None and source is not None:
        raise Rejected(f"Model {name} has both a ModelDataUrl and a ModelDataSource.")
    if url is not None and not (url.startswith(("s3://", "https://")) and url.endswith(".tar.gz")):
        raise Rejected(f"Model {name}: its ModelDataUrl {url} is no .tar.gz in S3.")
    if source is not None:
        _check_source(name, source["S3DataSource"])


def _check_source(name: str, source: Properties) -> None:
    uri, kind, packing = (source.get(key) for key in ("S3Uri", "S3DataType", "CompressionType"))
    if kind not in ("S3Prefix", "S3Object") or packing not in ("None", "Gzip") or not uri:
        raise Rejected(f"Model {name}: a ModelDataSource is an S3Uri, an S3DataType and a CompressionType.")
    if kind == "S3Prefix" and (packing != "None" or not uri.endswith("/")):
        raise Rejected(f"Model {name}: the S3Prefix {uri} ends with a slash, and is not compressed.")
