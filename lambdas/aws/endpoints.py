"""How a SageMaker endpoint is: its runtime says the same of one that is being made and of none at all."""

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError


def status(client: Any, name: str) -> str | None:
    """DescribeEndpoint's EndpointStatus; None where there is no such endpoint, or nobody says."""
    try:
        found: str = client.describe_endpoint(EndpointName=name)["EndpointStatus"]
    except (BotoCoreError, ClientError):
        return None
    return found
