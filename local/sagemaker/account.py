"""What SageMaker does elsewhere in the account: reads inputs, writes outputs, tells topics.

Speaks to the emulated cloud over HTTP, with the credentials of the model's execution role.
"""

import functools
import json
from collections.abc import Mapping
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from local import REGION

_making = Lock()  # boto3's clients may be shared by threads, but not be made by several at once


class Account:
    """`credentials` as the environment of a function names them."""

    def __init__(self, endpoint: str, credentials: Mapping[str, str]) -> None:
        self._session: Any = boto3.Session(
            credentials["AWS_ACCESS_KEY_ID"],
            credentials["AWS_SECRET_ACCESS_KEY"],
            credentials["AWS_SESSION_TOKEN"] or None,
            region_name=REGION,
        )
        self._endpoint = endpoint

    def read(self, location: str) -> bytes:
        """Raises botocore's ClientError when nothing lies there."""
        body: bytes = self._client("s3").get_object(**_object(location))["Body"].read()
        return body

    def write(self, location: str, body: bytes, content_type: str) -> None:
        self._client("s3").put_object(**_object(location), Body=body, ContentType=content_type)

    def tell(self, topic: str, message: Mapping[str, object]) -> None:
        text = json.dumps(message, separators=(",", ":"))
        self._client("sns").publish(TopicArn=topic, Message=text)

    @functools.cache  # noqa: B019, lives as long as its process
    def _client(self, service: str) -> Any:
        with _making:
            config = Config(proxies={}, s3={"addressing_style": "path"})
            return self._session.client(service, endpoint_url=self._endpoint, config=config)


def _object(location: str) -> dict[str, str]:
    """The bucket and key of `s3://bucket/key`, or of `https://s3….amazonaws.com/bucket/key`."""
    parts = urlsplit(location)
    if parts.scheme == "s3":
        return {"Bucket": parts.netloc, "Key": parts.path.lstrip("/")}
    bucket, _, key = parts.path.lstrip("/").partition("/")
    return {"Bucket": bucket, "Key": key}
