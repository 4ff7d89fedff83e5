"""Secrets by name, read when first needed, kept for a few minutes, never logged."""

import time
from functools import lru_cache
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.core.errors import TransientError
from lambdas.core.ports import Tell

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

KEPT = 300  # seconds: how long a secret that was replaced may still be used


def secret(client: "SecretsManagerClient", name: str) -> str:
    return _read(client, name, int(time.monotonic() // KEPT))


def credential(client: "SecretsManagerClient", name: str, host: str, warn: Tell) -> str:
    """What a model's host is asked with. Raises TransientError, and tells the operator why, when it cannot be
    read: then this host cannot be asked now."""
    try:
        return secret(client, name)
    except (BotoCoreError, ClientError, KeyError) as error:
        warn("SecretUnreadable", {"backend": host, "error": f"{type(error).__name__}: {error}"})
        detail = "This deployment cannot read what it asks the host with at the moment."
        raise TransientError("secret_unreadable", detail) from error


@lru_cache(maxsize=16)
def _read(client: "SecretsManagerClient", name: str, period: int) -> str:
    """`period` only makes what was read in an earlier one forgotten."""
    return client.get_secret_value(SecretId=name)["SecretString"]
