"""Talking to a model's host: every answer and every error of it, as one of four values.

Tells the breakers how the host fares. Whoever does not answer, breaks, or refuses this deployment, fails. A
song, a word that it is full or waking, and a no to work that it has looked at show that it is well. What is
refused before it is asked, and what our own bucket does, shows nothing. Must not know what becomes of a job
because of an answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from lambdas.core.breaking import Breakers
from lambdas.core.commissioning import Commissioning
from lambdas.core.errors import (
    BackendError,
    Busy,
    HostRefusal,
    Lost,
    StoreFault,
    TransientError,
    Unfit,
    Waking,
)
from lambdas.core.jobs import Job
from lambdas.core.pieces import Ticket
from lambdas.core.ports import Backend, Tell, untold
from lambdas.core.works import Failed, Finished, Running

Ask = Literal["again", "later", "elsewhere", "nobody"]


@dataclass(frozen=True, slots=True)
class Setback:
    """The host did not do it, and whom to ask: the same host again, the same one later, as it is well and has
    no place, another one, or nobody."""

    code: str
    detail: str
    ask: Ask
    pause: float = 0.0  # seconds, at least
    cost_usd: float | None = 0.0  # None: the host does not say, so what was expected
    expected: bool = False  # a probe found the host as bad as it was known to be


@dataclass(frozen=True, slots=True)
class Silence:
    """The host did not say how the work stands. It may go on all the same."""

    why: Setback


@dataclass(frozen=True)
class Asking:
    """warn: tells the operator of a refusal that may be theirs to mend."""

    backends: Mapping[str, Backend]
    commissioning: Commissioning
    breakers: Breakers
    warn: Tell = untold

    def start(self, job: Job) -> Ticket | Setback:
        backend = self.backends.get(job.backend or "")
        if backend is None:
            return _absent(job)
        try:
            return backend.start(self.commissioning.work(job))
        except BackendError as error:
            cost = error.cost_usd if isinstance(error, Lost) else error.cost_usd or 0.0
            return replace(self._meant(job, error), cost_usd=cost)

    def check(self, job: Job, ticket: Ticket) -> Running | Finished | Setback | Silence:
        backend = self.backends.get(job.backend or "")
        if backend is None:
            return replace(_absent(job), cost_usd=None)
        try:
            state = backend.check(self.commissioning.work(job), ticket)
        except TransientError as error:
            return Silence(replace(self._meant(job, error), cost_usd=error.cost_usd))
        except BackendError as error:
            return replace(self._meant(job, error), cost_usd=error.cost_usd)
        return self._failed(job, state) if isinstance(state, Failed) else state

    def fault(
        self,
        job: Job,
        code: str,
        detail: str,
        ask: Ask = "again",
        pause: float = 0.0,
        cost_usd: float | None = 0.0,
    ) -> Setback:
        """A failure of the host's own. An attempt counts once, however often it is heard of."""
        self.breakers.failed(job.backend or "", code, f"{job.job_id}-{job.attempt}", job.probe)
        return Setback(code, detail, ask, pause, cost_usd, expected=job.probe)

    def praise(self, job: Job) -> None:
        """The host is well."""
        self.breakers.succeeded(job.backend or "", job.probe)

    def leave(self, job: Job) -> None:
        """The attempt is over: a probe that has shown nothing makes room for another."""
        if job.probe:
            self.breakers.release(job.backend or "", job.job_id)

    def _failed(self, job: Job, state: Failed) -> Setback:
        if state.transient and not state.elsewhere:
            return self.fault(job, state.code, state.detail, cost_usd=state.cost_usd)
        self.praise(job)
        ask: Ask = "elsewhere" if state.transient else "nobody"
        return Setback(state.code, state.detail, ask, cost_usd=state.cost_usd)

    def _meant(self, job: Job, error: BackendError) -> Setback:
        match error:
            case Busy() | Waking():
                self.praise(job)
                return Setback(error.code, error.detail, "later", error.retry_after)
            case StoreFault():
                return Setback(error.code, error.detail, "again", error.retry_after)
            case TransientError():
                return self.fault(job, error.code, error.detail, "again", error.retry_after)
            case Unfit():
                return Setback(error.code, error.detail, "elsewhere")
            case HostRefusal():
                self._warn(job, error)
                return self.fault(job, error.code, error.detail, "elsewhere")
            case _:
                return Setback(error.code, error.detail, "nobody")

    def _warn(self, job: Job, error: HostRefusal) -> None:
        attempt = {"job_id": job.job_id, "attempt": str(job.attempt)}
        told = {"backend": job.backend or "", "code": error.code, "detail": error.detail}
        self.warn("HostRefuses", {**told, **attempt})


def _absent(job: Job) -> Setback:
    return Setback("unknown_backend", f"This deployment has no host {job.backend!r}.", "elsewhere")
