"""What a second of each host's hardware costs, in dollars: one table, read by estimates and by bills.

List prices of 21 November 2026, on demand, us-east-1 where a region matters, without free tiers and
discounts. Replicate publishes its own; the others come from third parties, and are the higher of what they
say. Check them with the host before you rely on them. Knows nothing of jobs or models.
"""

from collections.abc import Mapping
from types import MappingProxyType

HOUR = 3600.0

PRICES: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        # https://replicate.com/pricing
        # Billed for the seconds that a public model runs (`predict_time`): neither its queue nor its start.
        "replicate": {"t4": 0.000225, "l40s": 0.000975, "a100-80gb": 0.001400, "h100": 0.001525},
        # https://modal.com/pricing
        # Billed while a container is up, its start and its idle seconds included. A chosen region costs
        # 1.5 to 1.75 times as much.
        "modal": {
            "t4": 0.59 / HOUR,
            "l4": 0.80 / HOUR,
            "l40s": 1.95 / HOUR,
            "a100-80gb": 2.50 / HOUR,
            "h100": 3.95 / HOUR,
        },
        # https://aws.amazon.com/sagemaker/ai/pricing
        # Instances are billed while they are up, used or not; serverless for the seconds of each invocation.
        "sagemaker": {
            "ml.g4dn.xlarge": 0.7364 / HOUR,
            "ml.g5.xlarge": 1.408 / HOUR,
            "ml.g5.2xlarge": 1.515 / HOUR,
            "ml.g6.xlarge": 1.13 / HOUR,
            "ml.g6e.xlarge": 2.60 / HOUR,
            **{f"serverless-{gb}gb": 0.00002 * gb for gb in range(1, 7)},
        },
    }
)


BEHIND: Mapping[str, str] = MappingProxyType({"acestep": "modal"})
"""Hosts that are priced as what they run on."""


def rate(host: str, hardware: Mapping[str, str]) -> float:
    """Dollars a second of a deployment's host, whose `hardware` is named where it costs anything.

    Raises KeyError for hardware that has no price.
    """
    return usd(host, hardware[host], 1.0) if host in hardware else 0.0


def usd(host: str, hardware: str, seconds: float) -> float:
    """Dollars for so many seconds. Raises KeyError for a host or a piece of hardware that has no price."""
    return PRICES[BEHIND.get(host, host)][hardware] * seconds
