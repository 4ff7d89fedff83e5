"""The audio bucket on S3, and presigned addresses and forms into it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from botocore.exceptions import ClientError

from lambdas.core.errors import TransientError
from lambdas.core.ports import Form, Stored

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ABSENT = ("NoSuchKey", "404", "NotFound")
UNSEEN = (*ABSENT, "403", "AccessDenied")  # what S3 says of an absent object to who may not list
REMOVED_AT_ONCE = 1000
NAME_LENGTH = 100  # characters of a download's name, its ending included


class S3Objects:
    """Implements ports.ObjectStore, ports.Links and ports.Inbox."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def read(self, key: str) -> bytes | None:
        try:
            return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in ABSENT:
                return None
            raise

    def write(self, key: str, data: bytes, content_type: str, filename: str) -> None:
        self._client.put_object(
            Bucket=self._bucket,
            Key=key,
            Body=data,
            ContentType=content_type,
            ContentDisposition=f"inline; {_named(filename)}",
            CacheControl="private, max-age=3600",
        )

    def copy(self, source: str, target: str) -> bool:
        try:
            self._client.copy_object(
                Bucket=self._bucket, Key=target, CopySource={"Bucket": self._bucket, "Key": source}
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in ABSENT:
                return False
            raise
        return True

    def remove(self, keys: Sequence[str]) -> None:
        for first in range(0, len(keys), REMOVED_AT_ONCE):
            listed: list[Any] = [{"Key": key} for key in keys[first : first + REMOVED_AT_ONCE]]
            answer = self._client.delete_objects(
                Bucket=self._bucket, Delete={"Objects": listed, "Quiet": True}
            )
            if answer.get("Errors"):
                raise TransientError("remove_failed", "Some files could not be removed.")

    def download(self, key: str, seconds: int, filename: str | None = None) -> str:
        params = {"Bucket": self._bucket, "Key": key}
        if filename is not None:
            params["ResponseContentDisposition"] = f"attachment; {_named(filename)}"
        return self._client.generate_presigned_url("get_object", Params=params, ExpiresIn=seconds)

    def upload(self, key: str, seconds: int) -> str:
        params = {"Bucket": self._bucket, "Key": key}
        return self._client.generate_presigned_url("put_object", Params=params, ExpiresIn=seconds)

    def offer(self, key: str, content_type: str, most_bytes: int, seconds: int) -> Form:
        told = {"Content-Type": content_type}
        form = self._client.generate_presigned_post(
            Bucket=self._bucket,
            Key=key,
            Fields=told,
            Conditions=[told, ["content-length-range", 1, most_bytes]],
            ExpiresIn=seconds,
        )
        return Form(form["url"], form["fields"])

    def look(self, key: str) -> Stored | None:
        try:
            found = self._client.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in UNSEEN:
                return None
            raise
        return Stored(found["ContentLength"], found["ContentType"])


def _named(filename: str) -> str:
    """A file name for Content-Disposition: plain for old readers, RFC 5987 for the rest."""
    safe = "".join(
        char if char.isascii() and (char.isalnum() or char in " ._-") else "_" for char in filename
    )
    return f"filename=\"{safe[-100:]}\"; filename*=UTF-8''{quote(filename[-100:], safe='')}"
