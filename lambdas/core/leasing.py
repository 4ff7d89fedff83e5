"""Who works on a job: one handling of one message at a time, for as long as its lease lasts.

Every write of a worker passes here, so that a job which ended or changed hands is never written over.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from lambdas.core.errors import Conflict, Superseded, TransientError
from lambdas.core.jobs import GRACE, Job
from lambdas.core.ports import Clock, JobStore

RACES = 5  # times a write is tried again because somebody else wrote first


@dataclass(frozen=True)
class Leasing:
    jobs: JobStore
    clock: Clock
    length: timedelta
    token: Callable[[], str] = lambda: uuid4().hex

    def claim(self, job_id: str, ready: Callable[[Job, datetime], Job]) -> Job | None:
        """Take a job as `ready` prepares it; None when there is nothing to do for the one who asks."""
        holder = self.token()
        for _ in range(RACES):
            now, job = self.clock(), self.jobs.get(job_id)
            if job is not None and job.lease is not None and job.lease.holder == holder:
                return job  # an earlier try of the same write landed and its answer was lost
            if job is None or not _wants_work(job, now):
                return None
            try:
                return self.jobs.replace(ready(job, now).claimed(holder, now + self.length))
            except Conflict:
                continue
        raise TransientError("contended", f"Job {job_id} kept changing while it was being claimed.")

    def save(self, job: Job, change: Callable[[Job], Job]) -> Job:
        """Write a change, onto the newer row if its owner renamed it meanwhile. Raises Superseded."""
        holder = job.lease.holder if job.lease else ""
        for _ in range(RACES):
            wanted = change(job)
            try:
                return self.jobs.replace(wanted)
            except Conflict:
                fresh = self.jobs.get(job.job_id)
                if fresh is None:
                    raise Superseded(job.job_id) from None
                if fresh == wanted.but(version=wanted.version + 1):
                    return fresh  # an earlier try of the same write landed and its answer was lost
                job = fresh.held_by(holder)
        raise TransientError("contended", f"Job {job.job_id} kept changing while it was being saved.")

    def release(self, job: Job, usd: float | None = None) -> None:
        """Free a job for the next message; an attempt without a ticket is over, whatever it started, and cost
        `usd`, or what was expected."""
        try:
            fresh = self.jobs.get(job.job_id)
            if fresh is None or fresh.lease is None or fresh.lease != job.lease:
                return
            started = fresh.status.terminal or fresh.ticket is not None
            freed = fresh if started else fresh.lost(usd)
            self.jobs.replace(freed.waiting(self.clock()))
        except Exception:  # the lease runs out by itself
            return


def _wants_work(job: Job, now: datetime) -> bool:
    """Unsettled, in nobody's hands, and not pausing between two attempts."""
    if job.due_at is None or job.leased(now):
        return False
    if not job.admitted and not job.status.terminal and now < job.created_at + GRACE:
        return False  # who takes it on is at it
    pausing = not job.status.terminal and job.ticket is None and job.early(now)
    return not pausing
