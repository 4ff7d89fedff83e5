"""What a second of each host's hardware costs, in dollars: one dated table, read by estimates and by bills.

List prices, on demand, us-east-1 where a region matters, without free tiers and discounts. A price that the
host itself publishes is `firm`; the others come from third parties, and are the higher of what they say.
Check both before you rely on them. Knows nothing of jobs or models.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

NOTED = date(2026, 11, 21)

HOUR = 3600.0

REPLICATE = "https://replicate.com/pricing"
MODAL = "https://modal.com/pricing"
SAGEMAKER = "https://aws.amazon.com/sagemaker/ai/pricing"


@dataclass(frozen=True, slots=True)
class Price:
    usd_per_second: float
    source: str
    firm: bool = False


def _hourly(usd: float, source: str) -> Price:
    return Price(usd / HOUR, source)


OWN = Price(0.0, "your own machine", firm=True)

PRICES: Mapping[str, Mapping[str, Price]] = MappingProxyType(
    {
        "mock": {"": OWN},
        "container": {"": OWN},
        # Billed for the seconds that a public model runs (`predict_time`): neither its queue nor its start.
        "replicate": {
            "t4": Price(0.000225, REPLICATE, firm=True),
            "l40s": Price(0.000975, REPLICATE, firm=True),
            "a100-80gb": Price(0.001400, REPLICATE, firm=True),
            "h100": Price(0.001525, REPLICATE, firm=True),
        },
        # Billed while a container is up, its start and its idle seconds included. A chosen region costs
        # 1.5 to 1.75 times as much.
        "modal": {
            "t4": _hourly(0.59, MODAL),
            "l4": _hourly(0.80, MODAL),
            "l40s": _hourly(1.95, MODAL),
            "a100-80gb": _hourly(2.50, MODAL),
            "h100": _hourly(3.95, MODAL),
        },
        # Instances are billed while they are up, used or not; serverless for the seconds of each invocation.
        "sagemaker": {
            "ml.g4dn.xlarge": _hourly(0.7364, SAGEMAKER),
            "ml.g5.xlarge": _hourly(1.408, SAGEMAKER),
            "ml.g5.2xlarge": _hourly(1.515, SAGEMAKER),
            "ml.g6.xlarge": _hourly(1.13, SAGEMAKER),
            "ml.g6e.xlarge": _hourly(2.60, SAGEMAKER),
            **{f"serverless-{gb}gb": Price(0.00002 * gb, SAGEMAKER) for gb in range(1, 7)},
        },
    }
)


BEHIND: Mapping[str, str] = MappingProxyType({"acestep": "modal"})
"""Hosts that are priced as what they run on."""


def rate(host: str, hardware: Mapping[str, str]) -> float:
    """Dollars a second of a deployment's host, whose `hardware` is named where it costs anything.

    Raises KeyError for hardware that has no price.
    """
    return usd(BEHIND.get(host, host), hardware[host], 1.0) if host in hardware else 0.0


def usd(host: str, hardware: str, seconds: float) -> float:
    """Dollars for so many seconds. Raises KeyError for a host or a piece of hardware that has no price."""
    return PRICES[host][hardware].usd_per_second * seconds
