"""Secrets by name, read when first needed, kept for a few minutes, never logged."""

import time
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

KEPT = 300  # seconds: how long a secret that was replaced may still be used


def secret(client: "SecretsManagerClient", name: str) -> str:
    return _read(client, name, int(time.monotonic() // KEPT))


@lru_cache(maxsize=16)
def _read(client: "SecretsManagerClient", name: str, period: int) -> str:
    """`period` only makes what was read in an earlier one forgotten."""
    return client.get_secret_value(SecretId=name)["SecretString"]
