"""What tests of publishing look at: a bucket whose client counts, and the command."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from local.emulator import KEY, Emulator
from model_container.bucket import Folder

PART = 5 << 20  # bytes: the least that S3 takes
BIG = os.urandom(2 * PART + 7)
Told = list[tuple[str, int, int]]


class Counted:
    """An S3 client that notes what it is asked, and breaks at a chosen part."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.calls: list[str] = []
        self.breaks_at: int | None = None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        act = getattr(self._inner, name)

        def call(*args: Any, **named: Any) -> Any:
            self.calls.append(name)
            if name == "upload_part" and named["PartNumber"] == self.breaks_at:
                raise KeyboardInterrupt
            return act(*args, **named)

        return call

    @property
    def writes(self) -> list[str]:
        return [name for name in self.calls if name in ("put_object", "upload_part")]


def silent(name: str, had: int, size: int) -> None: ...


def stored(s3: Counted, target: Folder) -> dict[str, bytes]:
    listed = s3.list_objects_v2(Bucket=target.bucket).get("Contents", [])
    keys = [each["Key"] for each in listed]
    return {key: s3.get_object(Bucket=target.bucket, Key=key)["Body"].read() for key in keys}


def run(emulator: Emulator, *words: str) -> subprocess.CompletedProcess[str]:
    env = {
        **os.environ,
        "AWS_ENDPOINT_URL_S3": emulator.endpoint,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": KEY,
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": "127.0.0.1,localhost",
    }
    command = [sys.executable, "-m", "model_container.publish", *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)
