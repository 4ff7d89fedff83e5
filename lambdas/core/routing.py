"""Which host of its model's chain gets a job next, and what it is asked to make.

In the chain's order: who is not struck out, can make it, and is not being left alone. Who is well and has no
place is asked three times, then after all others, and so on by turns. Must not know how a host is asked, or
what it answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lambdas.core.breaking import Breaker, Breakers
from lambdas.core.jobs import STRIKES, Job
from lambdas.core.models import Model
from lambdas.core.ports import Backend
from lambdas.core.segments import Segment, following, overlap

RESTING = "Waiting for a host to recover"


@dataclass(frozen=True)
class Routing:
    chains: Mapping[str, Sequence[str]]
    backends: Mapping[str, Backend]
    models: Mapping[str, Model]
    breakers: Breakers

    def route(self, job: Job, now: datetime) -> Job:
        """The job, begun on a host; without one while all that are left rest; failed when none is left."""
        resting: list[str] = []
        for host in self._left(job):
            segment = self._segment(job, host)
            if segment is None:
                job = job.but(backend=host).struck(*self._unfit(job, host), STRIKES)
            elif self.breakers.admits(host, job.job_id):
                whole = segment.seconds == job.piece.duration
                probe = self.breakers.states([host])[host] is not Breaker.CLOSED
                expected = self.models[job.piece.model].work_usd(host, segment.seconds)
                return _noted(job, resting).begun(host, now, None if whole else segment, probe, expected)
            else:
                resting.append(host)
        if resting:
            return job.but(message=RESTING)
        reason = f" The last one said: {job.trials[-1].detail}" if job.trials else ""
        return job.failed("no_backend_available", f"No host could make this music.{reason}", now)

    def estimate(self, job: Job) -> tuple[float, float]:
        """Dollars that it is expected to cost on its first host, and on the dearest."""
        model = self.models.get(job.piece.model)
        return model.estimate(job.piece.duration) if model is not None else (0.0, 0.0)

    def following(self, job: Job) -> str | None:
        """The host that is next, of those that are in good order."""
        able = [host for host in self._left(job) if self._segment(job, host) is not None]
        states = self.breakers.states(able)
        return next((host for host in able if states[host] is Breaker.CLOSED), None)

    def rest(self, job: Job) -> float:
        """Seconds until one of the hosts that are left may be asked again."""
        states = self.breakers.states(self._left(job))
        return self.breakers.rest([host for host, state in states.items() if state is Breaker.OPEN])

    def _left(self, job: Job) -> list[str]:
        chain = self.chains.get(job.piece.model, ())
        left = [host for host in chain if job.strikes.get(host, 0) < STRIKES]
        return sorted(left, key=lambda host: job.deferrals.get(host, 0) // STRIKES)

    def _segment(self, job: Job, host: str) -> Segment | None:
        """What the host would make; None when it cannot, or is not there at all."""
        backend = self.backends.get(host)
        if backend is None:
            return None
        intake = self.models[job.piece.model].inputs.get("continue")
        head = max((take.seconds for take in job.inputs or () if take.role == "continue"), default=0.0)
        heard = overlap(backend.longest, intake.longest) if intake else 0.0
        since = job.parts[-1].start if job.parts else 0.0
        return following(job.piece.duration, job.made, backend.longest, heard, head, since)

    def _unfit(self, job: Job, host: str) -> tuple[str, str]:
        backend = self.backends.get(host)
        if backend is None:
            return "unknown_backend", f"This deployment has no host {host!r}."
        return "too_long", f"It makes at most {backend.longest:g} s at once, and cannot continue this piece."


def _noted(job: Job, resting: Sequence[str]) -> Job:
    """Tell the owner who was passed by, once for each time that it is."""
    for host in resting:
        if not any(trial.backend == host and trial.attempt == job.attempt for trial in job.trials):
            job = job.tried(host, "left_alone", "It has kept failing and is left alone for a while.")
    return job
