"""Does what CloudFormation does in the cloud and not in the emulator: rows expire, the site has its files."""

import hashlib
import mimetypes
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local import LocalError
from local.assembly import Stack
from local.deploy import Client
from local.dialect import DEPLOYMENT

Physical = Mapping[tuple[str, str], str]


def complete(stacks: list[Stack], physical: Physical, client: Client) -> None:
    """Finish what `deploy` began; safe to repeat. Raises LocalError."""
    for stack in stacks:
        for name, resource in stack.template.get("Resources", {}).items():
            properties = resource.get("Properties", {})
            if "TimeToLiveSpecification" in properties:
                _expire(client("dynamodb"), physical[stack.name, name], properties["TimeToLiveSpecification"])
            if resource["Type"] == DEPLOYMENT:
                bucket = physical[stack.name, properties["DestinationBucketName"]["Ref"]]
                _upload_site(stack, properties, bucket, client("s3"))


def _expire(database: Any, table: str, specification: dict[str, Any]) -> None:
    try:
        database.update_time_to_live(TableName=table, TimeToLiveSpecification=specification)
    except ClientError as error:
        if "already enabled" not in str(error):
            raise


def _upload_site(stack: Stack, deployment: dict[str, Any], bucket: str, storage: Any) -> None:
    if any(deployment.get("SourceMarkers", [])):
        raise LocalError("Site files with values filled in at deployment are not handled on the laptop.")
    folders = {asset.key: asset.path for asset in stack.assets}
    prefix = deployment.get("DestinationBucketKeyPrefix", "")
    cache = deployment.get("SystemMetadata", {}).get("cache-control")
    present = dict(_present(storage, bucket))
    for key in deployment["SourceObjectKeys"]:
        for name, file in _files(folders[key]):
            body = file.read_bytes()
            if present.get(prefix + name) != hashlib.md5(body, usedforsecurity=False).hexdigest():
                metadata = {"ContentType": mimetypes.guess_type(name)[0] or "application/octet-stream"}
                metadata |= {"CacheControl": cache} if cache else {}
                storage.put_object(Bucket=bucket, Key=prefix + name, Body=body, **metadata)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield file.relative_to(folder).as_posix(), file


def _present(storage: Any, bucket: str) -> Iterator[tuple[str, str]]:
    for page in storage.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for entry in page.get("Contents", []):
            yield entry["Key"], entry["ETag"].strip('"')
