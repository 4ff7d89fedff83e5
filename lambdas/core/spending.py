"""What a day's music costs, per stage and per principal, and the ceilings that stop new paid work.

Sums lie in the ledger by UTC day: estimates of jobs that are under way, and what the others did cost. A job
is counted on the day that it was made, whenever it ends. Each amount is added once, however often it is told.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lambdas.core.errors import RequestError
from lambdas.core.jobs import Job
from lambdas.core.ports import Clock, Ledger, Tell, untold

KEPT = timedelta(days=40)  # a month's sums can be told to its end
ROUNDING = 1e-6  # dollars that sums of floats may be off


@dataclass(frozen=True, slots=True)
class Ceilings:
    """Dollars a day; None is no ceiling."""

    stage: float | None = None
    principal: float | None = None


@dataclass(frozen=True)
class Spending:
    ledger: Ledger
    clock: Clock
    ceilings: Ceilings = Ceilings()
    tell: Tell = untold

    def reserve(self, job: Job) -> None:
        """Count what a job is expected to cost. May be done twice."""
        self._add(job, job.reserved_usd, "reserved")

    def take_on(self, job: Job) -> RequestError | None:
        """Count what a job is expected to cost; why that is too much, None when it is not, or is nothing."""
        if not job.reserved_usd:
            return None
        self.reserve(job)
        return self.refusal(job)

    def settle(self, job: Job) -> None:
        """Count what an ended job did cost instead. May be done twice."""
        actual = job.cost.actual_usd or 0.0
        if not job.reserved_usd and not actual:
            return
        if not job.admitted or job.copy_of is not None:
            self.reserve(job)  # nobody knows whether that was done, and it is taken back now
        self._add(job, actual - job.reserved_usd, "settled")

    def refusal(self, job: Job) -> RequestError | None:
        """Why a job that is reserved is too much; None when it is not."""
        for key, ceiling, code, whose in zip(
            _keys(job),
            (self.ceilings.stage, self.ceilings.principal),
            ("budget_exhausted", "quota_exceeded"),
            ("This deployment's", "Your"),
            strict=True,
        ):
            if ceiling is not None and self._sum(key) > ceiling + ROUNDING:
                self.tell("BudgetRefusals", {"code": code})
                return RequestError(
                    code,
                    f"{whose} budget for today leaves no room for it. Models that cost nothing still play.",
                    retry_after=self._until_tomorrow(),
                )
        return None

    def spent(self, day: datetime, owner: str | None = None) -> float:
        """Dollars of a UTC day, of one principal or of the whole stage; estimates of what is under way."""
        return self._sum(_key(day, owner))

    def _sum(self, key: str) -> float:
        return float(self.ledger.get(key) or 0.0)

    def _add(self, job: Job, amount: float, what: str) -> None:
        once = f"spent#{what}#{job.job_id}#{job.created_at.timestamp()}"
        self.ledger.add(_keys(job), amount, once, job.created_at + KEPT)

    def _until_tomorrow(self) -> int:
        now = self.clock().astimezone(UTC)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        return max(1, round((midnight - now).total_seconds()))


def _keys(job: Job) -> tuple[str, str]:
    return _key(job.created_at), _key(job.created_at, job.owner)


def _key(day: datetime, owner: str | None = None) -> str:
    return f"spent#{day.astimezone(UTC):%Y-%m-%d}" + (f"#{owner}" if owner else "")
