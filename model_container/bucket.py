"""Files into a folder of an S3 bucket, each at most once: what lies there with the same checksum stays.

S3 itself checks every part against its SHA-256 as it arrives, and keeps the file's: that of its content, or
for one of several parts that of the parts' own (a composite). What was sent in part goes on where it stopped.

Knows S3. Must not know what the files hold.
"""

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

PART = 16 << 20  # bytes; S3 takes 10,000 parts of a file, of which each but the last has 5 MB or more
ABSENT = ("404", "NoSuchKey", "NotFound")

Tell = Callable[[str, int, int], None]  # a file's name, bytes there, bytes in all


@dataclass(frozen=True)
class Parts:
    """A file's parts by their SHA-256."""

    path: Path
    digests: tuple[bytes, ...]

    @classmethod
    def of(cls, path: Path) -> "Parts":
        with path.open("rb") as content:
            pieces = iter(lambda: content.read(PART), b"")
            return cls(path, tuple(hashlib.sha256(piece).digest() for piece in pieces) or (_EMPTY,))

    @property
    def checksum(self) -> str:
        """As S3 says it of the whole file."""
        if len(self.digests) == 1:
            return _text(self.digests[0])
        return f"{_text(hashlib.sha256(b''.join(self.digests)).digest())}-{len(self.digests)}"

    def contents(self) -> Iterator[tuple[int, str, bytes]]:
        """Number from 1, checksum and bytes of each."""
        with self.path.open("rb") as content:
            for number, digest in enumerate(self.digests, 1):
                yield number, _text(digest), content.read(PART)


@dataclass(frozen=True)
class Folder:
    """`prefix` is the folder's path in the bucket, with a slash at its end. All raises botocore's errors."""

    client: "S3Client"
    bucket: str
    prefix: str

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"

    def others(self, names: Iterable[str]) -> list[str]:
        """What lies there beside these."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
        there = (each["Key"].removeprefix(self.prefix) for page in pages for each in page.get("Contents", []))
        known = {*names, ""}
        return [name for name in there if name not in known]

    def put(self, path: Path, name: str, tell: Tell) -> bool:
        """Store a file under its name; False when it was there already."""
        parts, key, size = Parts.of(path), self.prefix + name, max(1, path.stat().st_size)
        if self._checksum(key) == parts.checksum:
            tell(name, size, size)
            return False
        if len(parts.digests) == 1:
            content = path.read_bytes()
            self.client.put_object(Bucket=self.bucket, Key=key, Body=content, ChecksumSHA256=parts.checksum)
            tell(name, size, size)
        else:
            self._put_parts(key, parts, lambda had: tell(name, had, size))
        return True

    def _checksum(self, key: str) -> str | None:
        try:
            found = self.client.head_object(Bucket=self.bucket, Key=key, ChecksumMode="ENABLED")
        except ClientError as error:
            if error.response["Error"]["Code"] in ABSENT:
                return None
            raise
        return found.get("ChecksumSHA256")

    def _put_parts(self, key: str, parts: Parts, tell: Callable[[int], None]) -> None:
        upload = self._begun(key) or self._begin(key)
        there = self._sent(key, upload)
        done: list[CompletedPartTypeDef] = []
        had = 0
        for number, checksum, content in parts.contents():
            etag = there.get((number, checksum)) or self._send(key, upload, number, checksum, content)
            done.append({"PartNumber": number, "ETag": etag, "ChecksumSHA256": checksum})
            had += len(content)
            tell(had)
        self.client.complete_multipart_upload(
            Bucket=self.bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": done}
        )

    def _begun(self, key: str) -> str | None:
        """The newest upload of this file that was not completed."""
        found = self.client.list_multipart_uploads(Bucket=self.bucket, Prefix=key).get("Uploads", [])
        mine = [each for each in found if each["Key"] == key]
        return max(mine, key=lambda each: each["Initiated"])["UploadId"] if mine else None

    def _begin(self, key: str) -> str:
        begun = self.client.create_multipart_upload(Bucket=self.bucket, Key=key, ChecksumAlgorithm="SHA256")
        return begun["UploadId"]

    def _sent(self, key: str, upload: str) -> dict[tuple[int, str], str]:
        """(number, checksum) → ETag of each part that is there."""
        pages = self.client.get_paginator("list_parts").paginate(Bucket=self.bucket, Key=key, UploadId=upload)
        return {
            (part["PartNumber"], part.get("ChecksumSHA256", "")): part["ETag"]
            for page in pages
            for part in page.get("Parts", [])
        }

    def _send(self, key: str, upload: str, number: int, checksum: str, content: bytes) -> str:
        sent = self.client.upload_part(
            Bucket=self.bucket,
            Key=key,
            UploadId=upload,
            PartNumber=number,
            Body=content,
            ChecksumSHA256=checksum,
        )
        return sent["ETag"]


_EMPTY = hashlib.sha256().digest()


def _text(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
