"""The janitor: finds jobs that nobody speaks of any more, and messages that nobody could handle."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from pydantic import ValidationError

from lambdas.core.errors import Conflict
from lambdas.core.jobs import Job
from lambdas.core.ports import Clock, DeadLetters, JobIndex, JobStore, Message, Queue

AT_ONCE = 200  # overdue jobs looked after in one round
PATIENCE = timedelta(minutes=10)  # past its deadline, a job is ended even if no conductor answers


@dataclass(frozen=True, slots=True)
class Round:
    """What one round found."""

    reminded: int
    ended: int
    buried: int


@dataclass(frozen=True)
class Janitor:
    jobs: JobStore
    index: JobIndex
    queue: Queue
    dead_letters: DeadLetters
    clock: Clock

    def tidy(self) -> Round:
        """One round. A job that cannot be looked after keeps nobody from the others; what went wrong with
        such jobs is raised at the end, as an ExceptionGroup."""
        errors: list[Exception] = []
        buried = _all_of(self._bury, self.dead_letters.read(), errors)
        overdue = self.index.overdue(self.clock(), AT_ONCE)
        ended = _all_of(self._end_if_hopeless, overdue, errors)
        self.queue.send_all([Message(job_id=job_id) for job_id in overdue])
        if errors:
            raise ExceptionGroup("Some jobs could not be looked after.", errors)
        return Round(reminded=len(overdue), ended=ended, buried=buried)

    def _bury(self, body: str) -> bool:
        """End the job of a message that could not be handled; the message stays for the operator."""
        try:
            job = self.jobs.get(Message.read(body).job_id)
        except ValidationError:
            return False  # never was one of ours
        if job is None or job.status.terminal:
            return False
        return self._fail(job, "internal_error", "The service could not handle this job; it was recorded.")

    def _end_if_hopeless(self, job_id: str) -> bool:
        job = self.jobs.get(job_id)
        now = self.clock()
        if job is None or job.status.terminal or job.leased(now) or now < job.deadline_at + PATIENCE:
            return False
        return self._fail(job, "deadline_exceeded", "The music was not ready in time.")

    def _fail(self, job: Job, code: str, detail: str) -> bool:
        now = self.clock()
        try:
            self.jobs.replace(job.failed(code, detail, now).but(due_at=now))
        except Conflict:
            return False  # somebody is at work on it after all
        return True


def _all_of(act: Callable[[str], bool], things: Sequence[str], errors: list[Exception]) -> int:
    """Act on each thing, whatever became of the ones before it; how often the answer was yes."""
    count = 0
    for thing in things:
        try:
            count += act(thing)
        except Exception as error:
            errors.append(error)
    return count
