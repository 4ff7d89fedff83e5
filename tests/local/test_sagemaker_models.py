"""Which models the laptop's SageMaker refuses to make, or to put behind a serverless endpoint."""

from typing import Any

import pytest

from local.sagemaker.endpoints import Endpoints
from local.sagemaker.models import Rejected
from tests.local import standin
from tests.local.standin import INSTANCE, serverless

IMAGE = {"Image": "any"}
ARCHIVE = {"ModelDataUrl": "s3://weights/small.tar.gz"}
FOLDER = {"S3Uri": "s3://weights/small/", "S3DataType": "S3Prefix", "CompressionType": "None"}


def source(**changed: str) -> dict[str, Any]:
    return {"ModelDataSource": {"S3DataSource": FOLDER | changed}}


@pytest.mark.parametrize("missing", ["ExecutionRoleArn", "PrimaryContainer"])
def test_a_model_needs_a_role_and_an_image(made: Endpoints, missing: str) -> None:
    described = {"ExecutionRoleArn": standin.ROLE, "PrimaryContainer": {"Image": "any"}}

    with pytest.raises(Rejected, match="needs a"):
        made.make_model("Model", {key: value for key, value in described.items() if key != missing})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"ModelDataUrl": "s3://weights/small/"}, r"is no \.tar\.gz in S3"),
        ({**ARCHIVE, **source()}, "both a ModelDataUrl and a ModelDataSource"),
        (source(S3Uri="s3://weights/small"), "ends with a slash"),
        (source(CompressionType="Gzip"), "is not compressed"),
        (source(S3DataType="Folder"), "an S3Uri, an S3DataType and a CompressionType"),
    ],
)
def test_weights_lie_where_sagemaker_can_take_them_from(
    made: Endpoints, data: dict[str, Any], said: str
) -> None:
    described = {"ExecutionRoleArn": standin.ROLE, "PrimaryContainer": IMAGE | data}

    with pytest.raises(Rejected, match=said):
        made.make_model("Model", described)


@pytest.mark.parametrize(
    ("data", "more", "refused"),
    [
        (ARCHIVE, {}, None),
        (source(), {}, "ModelDataSource"),
        (ARCHIVE, {"EnableNetworkIsolation": True}, "EnableNetworkIsolation"),
        (ARCHIVE, {"VpcConfig": {"Subnets": ["a"], "SecurityGroupIds": ["b"]}}, "VpcConfig"),
    ],
)
def test_a_serverless_endpoint_takes_an_archive_and_no_network_of_ones_own(
    made: Endpoints, data: dict[str, Any], more: dict[str, Any], refused: str | None
) -> None:
    container = IMAGE | data
    made.make_model(
        "Other",
        {"ModelName": "other", "ExecutionRoleArn": standin.ROLE, "PrimaryContainer": container} | more,
    )
    behind = {"ProductionVariants": [serverless(1) | {"ModelName": "other"}]}

    if refused is None:
        made.make_config("Config", behind)
    else:
        with pytest.raises(Rejected, match=f"Model other has {refused}: not for serverless endpoints"):
            made.make_config("Config", behind)


def test_instances_take_a_folder_as_it_is(made: Endpoints) -> None:
    described = {"ExecutionRoleArn": standin.ROLE, "PrimaryContainer": IMAGE | source()}
    made.make_model("Other", {"ModelName": "other", **described})

    assert made.make_config("Config", {"ProductionVariants": [INSTANCE | {"ModelName": "other"}]})
