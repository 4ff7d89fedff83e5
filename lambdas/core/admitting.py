"""Whether jobs that cost something may begin: their cost is counted first, then held against the ceilings.

A row is written before its cost is counted, so that whatever dies between the two leaves something that can
be taken back; nobody works on it until it is admitted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lambdas.core.errors import Conflict, RequestError, TransientError
from lambdas.core.jobs import Job
from lambdas.core.leasing import RACES
from lambdas.core.ports import Clock, JobStore, Message, Queue
from lambdas.core.spending import Spending


@dataclass(frozen=True)
class Admission:
    jobs: JobStore
    queue: Queue
    spending: Spending
    clock: Clock

    def admit(self, jobs: Sequence[Job]) -> tuple[Job, ...]:
        """All of them, or none. Raises RequestError budget_exhausted, quota_exceeded."""
        waiting = [job for job in jobs if not job.admitted]
        if any(job.deleted for job in waiting):  # an earlier try was turned away, and is being cleared
            raise RequestError("idempotency_in_progress", "An earlier try is being cleared.", retry_after=1)
        for job in waiting:
            self.spending.reserve(job)
        refusal = self.spending.refusal(waiting[0]) if waiting else None
        if refusal is None:
            return tuple(job if job.admitted else self._let_in(job) for job in jobs)
        for job in waiting:
            self._turn_away(job)
        raise refusal

    def _let_in(self, job: Job) -> Job:
        try:
            return self.jobs.replace(job.but(admitted=True))
        except Conflict:
            fresh = self.jobs.get(job.job_id)
        if fresh is None or not fresh.admitted:
            raise TransientError("contended", "The job kept changing; try again.")
        return fresh  # an earlier try of the same write landed and its answer was lost

    def _turn_away(self, job: Job) -> None:
        """What remains of it goes, as with a job that its owner deletes; its reservation goes at once, as
        smaller work may fit where this did not."""
        for _ in range(RACES):
            try:
                self.jobs.replace(job.erased(self.clock()))
                break
            except Conflict:
                fresh = self.jobs.get(job.job_id)
                if fresh is None or fresh.deleted:
                    break
                job = fresh
        if not job.admitted:  # one that an earlier try let in is settled by what it cost
            self.spending.settle(job)
        self.queue.send(Message(job_id=job.job_id))
