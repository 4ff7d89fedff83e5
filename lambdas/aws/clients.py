"""boto3 clients, one per service, made at first use and kept for the life of the function."""

from functools import cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

CONFIG = Config(connect_timeout=3, read_timeout=20, retries={"mode": "standard", "max_attempts": 3})
S3_CONFIG = CONFIG.merge(Config(signature_version="s3v4"))


@cache
def dynamodb() -> "DynamoDBClient":
    return boto3.client("dynamodb", config=CONFIG)


@cache
def sqs() -> "SQSClient":
    return boto3.client("sqs", config=CONFIG)


@cache
def s3() -> "S3Client":
    return boto3.client("s3", config=S3_CONFIG)


@cache
def secrets() -> "SecretsManagerClient":
    return boto3.client("secretsmanager", config=CONFIG)
