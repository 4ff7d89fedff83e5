"""A job's money: what it is expected to cost, what is held for it, and what its attempts did cost.

Must not know a day's sums, or whether they leave room.
"""

from typing import Self

from lambdas.core.pieces import Cost, Frozen


class Account(Frozen):
    cost: Cost = Cost()
    reserved_usd: float = 0.0  # counted as spent until the job has ended
    admitted: bool = True  # False: its cost is not held against the ceilings yet, and nobody works on it
    attempt: int = 0
    backend: str | None = None
    expected_usd: float = 0.0  # what the attempt under way costs, if nobody says what it did
    paid: int = 0  # the last attempt whose cost is counted

    @property
    def unbilled(self) -> bool:
        """An attempt is under way, and what it costs is not counted yet."""
        return self.backend is not None and self.paid < self.attempt

    def costed(self, expected_usd: float, most_usd: float) -> Self:
        """With what it is expected to cost on its first host, and on the dearest of its chain."""
        return self.but(cost=self.cost.but(estimate_usd=expected_usd), reserved_usd=most_usd)

    def billed(self, usd: float | None) -> Self:
        """Count what this attempt cost, however often that is told; what was expected where nobody says."""
        if self.paid == self.attempt:
            return self
        total = round((self.cost.actual_usd or 0.0) + (self.expected_usd if usd is None else usd), 9)
        return self.but(cost=self.cost.but(actual_usd=total), paid=self.attempt)

    def lost(self, usd: float | None) -> Self:
        """The attempt has no ticket and is over, whatever it started; it cost `usd`, if that is known."""
        return (self.billed(usd) if self.unbilled else self).but(backend=None)
