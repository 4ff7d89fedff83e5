"""Who is asking. Every way of signing in ends in this one type."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Principal:
    """The owner of jobs. `id` is what rows are stored under."""

    id: str
    kind: Literal["anonymous", "session", "key", "user"]
    retention_days: int


def anonymous(retention_days: int) -> Principal:
    """The one principal of a deployment without sign-in: everybody who can reach it."""
    return Principal(id="anonymous", kind="anonymous", retention_days=retention_days)
