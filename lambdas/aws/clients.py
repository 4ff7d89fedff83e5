"""AWS clients, one per service, made at first use and kept for the life of the function.

From botocore, which is all that they need of boto3: the rest is a tenth of a cold start.
"""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

import botocore.session
from botocore.config import Config

from lambdas.settings import VERSION

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

Client = TypeVar("Client")

CONFIG = Config(
    connect_timeout=3,
    read_timeout=20,
    retries={"mode": "standard", "max_attempts": 3},
    # Spelling out the usual user agent and checking parameters again, which types and tests have checked,
    # is a sixth of a call's CPU time.
    user_agent=f"Cadenza/{VERSION}",
    parameter_validation=False,
)
# A start may have been heard although nothing was answered, and what is asked once more is made once more.
ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1})
# What is signed leads to the bucket's own region. S3's one address for all regions sends elsewhere for hours
# after a bucket was made, and neither a signature nor a browser's preflight follows.
S3_CONFIG = CONFIG.merge(
    Config(
        signature_version="s3v4",
        s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"},
    )
)


@cache
def dynamodb() -> "DynamoDBClient":
    client: DynamoDBClient = _make("dynamodb", CONFIG)
    return client


@cache
def sqs() -> "SQSClient":
    client: SQSClient = _make("sqs", CONFIG)
    return client


@cache
def s3() -> "S3Client":
    client: S3Client = _make("s3", S3_CONFIG)
    return client


@cache
def sagemaker_runtime(patience: float) -> "SageMakerRuntimeClient":
    """Tries once. patience: seconds that an answer may take."""
    config = CONFIG.merge(ONCE).merge(Config(read_timeout=patience))
    client: SageMakerRuntimeClient = _make("sagemaker-runtime", config)
    return client


@cache
def sagemaker() -> Any:
    """Its control plane, which says how an endpoint is. Untyped, as one call is all that is asked of it."""
    return _make("sagemaker", CONFIG)


@cache
def secrets() -> "SecretsManagerClient":
    client: SecretsManagerClient = _make("secretsmanager", CONFIG)
    return client


def later(make: Callable[[], Client]) -> Client:
    """The client that `make` gives, made when first used: most requests to the API never need S3's."""
    return cast("Client", _Later(make))


class _Later:
    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def __getattr__(self, name: str) -> Any:
        return getattr(self._make(), name)


@cache
def session() -> botocore.session.Session:
    return botocore.session.get_session()


def _make(service: str, config: Config) -> Any:
    return session().create_client(service, config=config)
