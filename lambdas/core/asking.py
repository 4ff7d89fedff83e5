"""Talking to a model's host: every answer and every error of it, as one of four values.

Tells the breakers how the host fares. Must not know what becomes of a job because of an answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lambdas.core.breaking import Breakers
from lambdas.core.commissioning import Commissioning
from lambdas.core.errors import BackendError, Busy, HostRefusal, TransientError, Unfit, Waking
from lambdas.core.jobs import Job
from lambdas.core.pieces import Ticket
from lambdas.core.ports import Backend
from lambdas.core.works import Failed, Finished, Running


@dataclass(frozen=True, slots=True)
class Setback:
    """The host did not do it, and whether to ask again: the same host, another one, or nobody; or the same
    one, which is full, later, however often."""

    code: str
    detail: str
    ask: Literal["again", "later", "elsewhere", "nobody"]
    pause: float = 0.0  # seconds, at least
    cost_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Silence:
    """The host did not say how the work stands. It may go on all the same."""

    why: Setback


@dataclass(frozen=True)
class Asking:
    backends: Mapping[str, Backend]
    commissioning: Commissioning
    breakers: Breakers

    def start(self, job: Job) -> Ticket | Setback:
        backend = self.backends.get(job.backend or "")
        if backend is None:
            return _absent(job)
        try:
            return backend.start(self.commissioning.work(job))
        except BackendError as error:
            return self._meant(job, error)

    def check(self, job: Job, ticket: Ticket) -> Running | Finished | Setback | Silence:
        backend = self.backends.get(job.backend or "")
        if backend is None:
            return _absent(job)
        try:
            state = backend.check(self.commissioning.work(job), ticket)
        except TransientError as error:
            return Silence(self._meant(job, error))
        except BackendError as error:
            return self._meant(job, error)
        return self._failed(job, state) if isinstance(state, Failed) else state

    def blame(self, job: Job, code: str) -> None:
        """A failure of the host's own. An attempt counts once, so that no job alone can open a breaker."""
        self.breakers.failed(job.backend or "", code, f"{job.job_id}-{job.attempt}")

    def praise(self, job: Job) -> None:
        """The host made what it was asked."""
        self.breakers.succeeded(job.backend or "")

    def _failed(self, job: Job, state: Failed) -> Setback:
        if not state.transient:
            return Setback(state.code, state.detail, "nobody", cost_usd=state.cost_usd)
        if state.elsewhere:
            return Setback(state.code, state.detail, "elsewhere", cost_usd=state.cost_usd)
        self.blame(job, state.code)
        return Setback(state.code, state.detail, "again", cost_usd=state.cost_usd)

    def _meant(self, job: Job, error: BackendError) -> Setback:
        if isinstance(error, TransientError | HostRefusal) and not isinstance(error, Busy | Waking | Unfit):
            self.blame(job, error.code)
        if isinstance(error, TransientError):
            ask: Literal["later", "again"] = "later" if isinstance(error, Busy) else "again"
            return Setback(error.code, error.detail, ask, error.retry_after)
        return Setback(error.code, error.detail, "elsewhere" if isinstance(error, HostRefusal) else "nobody")


def _absent(job: Job) -> Setback:
    return Setback("unknown_backend", f"This deployment has no host {job.backend!r}.", "elsewhere")
