"""What remains to be done when a job has ended: stop the model, clear its leavings, tell whoever asked.

A job is settled when its `due_at` is gone. Until then every message for it, the janitor's included,
comes back here; each thing done here may be done twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from lambdas.core.cache import cache_key
from lambdas.core.errors import Conflict
from lambdas.core.jobs import Job, Status, input_key, keys_of, progress_key, raw_key, tail_key
from lambdas.core.leasing import RACES
from lambdas.core.pieces import Ticket
from lambdas.core.ports import Backend, JobStore, Ledger, Message, ObjectStore, Queue
from lambdas.core.spending import Spending


@dataclass(frozen=True)
class Settling:
    jobs: JobStore
    objects: ObjectStore
    ledger: Ledger
    spending: Spending
    deliveries: Queue
    backends: Mapping[str, Backend]

    def settle(self, job: Job) -> None:
        for _ in range(RACES):
            try:
                job = self._billed(job)
                self._clear(job)
                return self._close(job)
            except Conflict:
                fresh = self.jobs.get(job.job_id)
                if fresh is None or fresh.due_at is None:
                    return None
                job = fresh
        return None

    def call_off(self, host: str | None, ticket: Ticket) -> float | None:
        """Ask a host to stop; what it says of the cost. One that cannot be asked, for whatever reason,
        finishes for nobody, into a file that is cleared; it keeps no job from its end."""
        backend = self.backends.get(host or "")
        try:
            return None if backend is None else backend.cancel(ticket)
        except Exception:
            return None

    def _billed(self, job: Job) -> Job:
        """Stop what is under way. It has cost what its host says, or else what was expected of it: otherwise
        whoever asks and cancels would be served for nothing."""
        told = None
        if job.ticket is not None and job.status is not Status.COMPLETED:
            told = self.call_off(job.backend, job.ticket)
        return self.jobs.replace(job.billed(told)) if job.unbilled else job

    def _clear(self, job: Job) -> None:
        attempts = range(1, job.attempt + 1)
        leavings = [key(job, attempt) for attempt in attempts for key in (raw_key, progress_key)]
        if job.parts or job.segment is not None:
            leavings += [tail_key(job, attempt) for attempt in attempts]
        leavings += [input_key(job, index) for index in range(len(job.piece.sources))]
        if not job.playable:
            leavings += keys_of(job).values()
        self.spending.settle(job)
        if leavings:
            self.objects.remove(leavings)
        if job.playable and job.copy_of is None:
            self.ledger.put(cache_key(job.owner, job.piece), job.job_id, job.expires_at)
        if job.webhook is not None and not job.webhook.announced and not job.deleted:
            self.deliveries.send(Message(job_id=job.job_id))

    def _close(self, job: Job) -> None:
        if job.deleted:
            return self.jobs.remove(job)
        announced = job.webhook.but(announced=True) if job.webhook else None
        self.jobs.replace(job.but(webhook=announced).settled())
        return None
