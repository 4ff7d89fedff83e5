"""A model's way to its server: published by the command, laid into a folder as the endpoint's model says it.

SageMaker would do the second. The stand-in does not: a laptop's server is given its folder.
"""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import botocore.session
from botocore.config import Config

from local import REGION
from local.cloud import LocalCloud
from local.emulator import KEY
from model_container.native.build import shared_object
from model_container.publish import NATIVE


def publish(cloud: LocalCloud, packed: Path, path: str, kept: Path) -> None:
    """What docs/models.md says to do, into the stage's own bucket."""
    if not shared_object():
        (packed / NATIVE).unlink(missing_ok=True)  # no such machine is the image, which has a compiler
    address = f"s3://{cloud.outputs['WeightsBucketName']}/{path}"
    command = [sys.executable, "-m", "model_container.publish", str(packed), address, "--kept", str(kept)]
    account = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": KEY, "AWS_DEFAULT_REGION": REGION}
    env = {**os.environ, **account, "AWS_ENDPOINT_URL_S3": cloud.endpoint, "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def lay(cloud: LocalCloud, endpoint: str, folder: Path) -> None:
    """Fill the folder, which a container finds at /opt/ml/model, with the rights of the model's role."""
    control = cloud.client("sagemaker")
    config = control.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    [variant] = control.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    model = control.describe_model(ModelName=variant["ModelName"])
    storage = _as_role(cloud, model["ExecutionRoleArn"])
    folder.mkdir()
    try:
        _fetch(storage, model["PrimaryContainer"], folder)
    finally:
        storage.close()


def _fetch(storage: Any, container: dict[str, Any], folder: Path) -> None:
    if "ModelDataUrl" in container:
        place = urlsplit(container["ModelDataUrl"])
        body = storage.get_object(Bucket=place.netloc, Key=place.path[1:])["Body"]
        with tarfile.open(fileobj=body, mode="r|gz") as archive:
            archive.extractall(folder, filter="data")
        return
    place = urlsplit(container["ModelDataSource"]["S3DataSource"]["S3Uri"])
    prefix = place.path[1:]
    for each in storage.list_objects_v2(Bucket=place.netloc, Prefix=prefix)["Contents"]:
        file = folder / each["Key"].removeprefix(prefix)
        file.write_bytes(storage.get_object(Bucket=place.netloc, Key=each["Key"])["Body"].read())


def _as_role(cloud: LocalCloud, role: str) -> Any:
    """S3, as a user with the rights of this role, which SageMaker alone may take."""
    iam, name = cloud.client("iam"), f"sagemaker-{uuid4().hex[:8]}"
    rights = iam.get_role_policy(RoleName=role.rpartition("/")[2], PolicyName="Endpoint")["PolicyDocument"]
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="Endpoint", PolicyDocument=json.dumps(rights))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return botocore.session.get_session().create_client(
        "s3",
        region_name=REGION,
        endpoint_url=cloud.endpoint,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
        config=Config(proxies={}, s3={"addressing_style": "path"}),
    )
