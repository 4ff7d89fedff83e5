"""Secrets by name, read when first needed, kept for the life of the function, never logged."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


@cache
def secret(client: "SecretsManagerClient", name: str) -> str:
    return client.get_secret_value(SecretId=name)["SecretString"]
