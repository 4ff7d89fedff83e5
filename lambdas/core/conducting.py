"""One short step of a job: start the model, ask after it, or master what it made.

Knows the rules of the flow and the ports, and nothing of AWS, HTTP or any model. A step claims the job
with a lease, does one thing, writes one outcome, and puts the job's id back on the queue if more is to come.
Whatever dies between two writes is found again by the job's `due_at`.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lambdas.core import shelving
from lambdas.core.errors import HostRefusal, PermanentError, Superseded, TransientError, UnusableAudio
from lambdas.core.jobs import Job, progress_key, raw_key
from lambdas.core.leasing import Leasing
from lambdas.core.ports import (
    Backend,
    Clock,
    Failed,
    Finished,
    Input,
    JobStore,
    Links,
    Mastering,
    Message,
    ObjectStore,
    Queue,
    Running,
    Work,
)
from lambdas.core.preparing import Preparation
from lambdas.core.settling import Settling

STRIKES = 3  # transient failures that one backend is forgiven for one job
MISSES = 8  # checks in a row that may go unanswered
LONGEST_WAIT = 300.0  # seconds
LINK_SECONDS = 6 * 3600


def backoff(failures: int, spread: Callable[[], float] = random.random) -> float:
    """Seconds to wait after the nth failure in a row: exponential, with half of it drawn at random."""
    ceiling = min(LONGEST_WAIT, 2.0**failures)
    return ceiling / 2 + spread() * ceiling / 2


@dataclass(frozen=True)
class Conductor:
    jobs: JobStore
    queue: Queue
    objects: ObjectStore
    links: Links
    preparation: Preparation
    mastering: Mastering
    settling: Settling
    backends: Mapping[str, Backend]
    chains: Mapping[str, Sequence[str]]
    leasing: Leasing
    clock: Clock
    wait: Callable[[int], float] = backoff

    def step(self, job_id: str) -> Job | None:
        """Bring a job one step on. Returns the job as the step left it; None when there was nothing to do.

        Safe to call at any time, any number of times. Raises what a port raised when that is nobody's
        plan; the job is then free for the next message.
        """
        claimed = self.leasing.claim(job_id, self._ready)
        if claimed is None:
            return None
        try:
            return self._advance(claimed)
        except Superseded:
            self._withdraw(job_id)
            return claimed
        except Exception:
            self.leasing.release(claimed)
            raise

    def _ready(self, job: Job, now: datetime) -> Job:
        """The job as this step will work on it; a start is written down before it happens."""
        if job.status.terminal:
            return job
        if now >= job.deadline_at:
            return job.failed("deadline_exceeded", "The music was not ready in time.", now)
        if job.ticket is not None or job.copy_of is not None:
            return job
        if not job.prepared:
            return job.preparing(now)
        if job.start_lost:
            job = self._struck(job, "start_lost", "The start of the model was interrupted.")
        return self._begun(job, now)

    def _struck(self, job: Job, code: str, detail: str) -> Job:
        struck = job.struck(code, detail)
        return struck.passed_on() if struck.strikes >= STRIKES else struck

    def _begun(self, job: Job, now: datetime) -> Job:
        chain = self.chains.get(job.piece.model, ())
        if job.link < len(chain):
            return job.begun(chain[job.link], now)
        reason = f" The last one said: {job.trials[-1].detail}" if job.trials else ""
        return job.failed("no_backend_available", f"No host could make this music.{reason}", now)

    def _advance(self, job: Job) -> Job:
        if job.status.terminal:
            return self._settle(job)
        if job.copy_of is not None:
            return self._copy(job)
        if not job.prepared:
            return self._prepare(job)
        return self._start(job) if job.ticket is None else self._check(job)

    def _prepare(self, job: Job) -> Job:
        try:
            inputs = self.preparation.prepare(job)
        except UnusableAudio as error:
            return self._fail(job, "input_unusable", str(error))
        extracted = "Extracting audio segments..."
        return self._later(job, lambda j: j.but(inputs=inputs).progressed(30, extracted), 0)

    def _start(self, job: Job) -> Job:
        backend = self.backends.get(job.backend or "")
        if backend is None:
            return self._retry(job, "unknown_backend", f"This deployment has no host {job.backend!r}.")
        work = self._work(job)
        try:
            ticket = backend.start(work)
        except TransientError as error:
            return self._retry(job, error.code, error.detail, error.retry_after)
        except HostRefusal as error:
            return self._pass_on(job, error.code, error.detail)
        except PermanentError as error:
            return self._fail(job, error.code, error.detail)
        check_at = self.clock() + timedelta(seconds=ticket.check_after)
        try:
            started = self.leasing.save(job, lambda j: j.started(ticket, check_at))
        except Superseded:
            self.settling.call_off(backend, ticket)
            raise
        self.queue.send(Message(job_id=job.job_id), ticket.check_after)
        return started

    def _work(self, job: Job) -> Work:
        progress = progress_key(job, job.attempt)
        return Work(
            id=f"{job.job_id}-{job.attempt}",
            attempt=job.attempt,
            piece=job.piece,
            output_url=self.links.upload(raw_key(job, job.attempt), LINK_SECONDS),
            progress_url=self.links.upload(progress, LINK_SECONDS),
            progress_link=self.links.download(progress, LINK_SECONDS),
            inputs=tuple(
                Input(take.role, self.links.download(take.key, LINK_SECONDS), take.seconds)
                for take in job.inputs or ()
            ),
        )

    def _check(self, job: Job) -> Job:
        backend = self.backends.get(job.backend or "")
        if backend is None or job.ticket is None:
            return self._retry(job, "unknown_backend", f"This deployment has no host {job.backend!r}.")
        work = self._work(job)
        try:
            state = backend.check(work, job.ticket)
        except TransientError as error:
            return self._miss(job, backend, error)
        except HostRefusal as error:
            state = Failed(error.code, error.detail, transient=True, elsewhere=True)
        except PermanentError as error:
            state = Failed(error.code, error.detail, transient=False)
        match state:
            case Running():
                return self._keep(job, state)
            case Failed():
                return self._failed(job, state)
            case Finished():
                return self._finish(job, state)

    def _failed(self, job: Job, state: Failed) -> Job:
        if state.elsewhere:
            return self._pass_on(job, state.code, state.detail)
        if state.transient:
            return self._retry(job, state.code, state.detail)
        return self._fail(job, state.code, state.detail)

    def _keep(self, job: Job, state: Running) -> Job:
        progress = min(94, round(100 * max(state.progress, 0.0)))
        return self._again(job, lambda j: j.progressed(progress, state.message), state.check_after)

    def _miss(self, job: Job, backend: Backend, error: TransientError) -> Job:
        if job.misses + 1 < MISSES:
            delay = max(self.wait(job.misses + 1), error.retry_after)
            return self._again(job, lambda j: j.missed(), delay)
        if job.ticket is not None:
            self.settling.call_off(backend, job.ticket)
        return self._retry(job, error.code, error.detail)

    def _again(self, job: Job, change: Callable[[Job], Job], delay: float) -> Job:
        """Check again later. Asked early, by a hint or a copy, leave the message alone that is on its way:
        each message would breed another otherwise, and checks would multiply."""
        if job.check_at is not None and job.early(self.clock()):
            at = job.check_at
            return self.leasing.save(job, lambda j: change(j).waiting(at))
        return self._later(job, change, delay)

    def _finish(self, job: Job, finished: Finished) -> Job:
        began = self.clock()
        job = self.leasing.save(job, lambda j: _made(j, finished).progressed(95, "Mastering"))
        raw = self.objects.read(raw_key(job, job.attempt))
        if raw is None:
            return self._retry(job, "audio_missing", "The model finished without leaving any audio.")
        try:
            recording = self.mastering.master(raw, job.label)
        except UnusableAudio as error:
            return self._retry(job, "audio_unusable", str(error))
        audio = shelving.store(self.objects, job, recording)
        now = self.clock()
        model_s = (began - (job.started_at or began)).total_seconds()
        mastering_s = (now - began).total_seconds()
        done = self.leasing.save(job, lambda j: j.completed(audio, mastering_s, model_s, now))
        return self._settle(done)

    def _copy(self, job: Job) -> Job:
        """Answer a seeded request with the audio that the same request made earlier, if it is still there."""
        audio = shelving.copy(self.objects, self.jobs.get(job.copy_of or ""), job)
        if audio is None:
            return self._later(job, lambda j: j.but(copy_of=None), 0)
        now = self.clock()
        free = job.cost.but(actual_usd=0.0)
        return self._settle(
            self.leasing.save(job, lambda j: j.but(cost=free).completed(audio, 0.0, 0.0, now))
        )

    def _retry(self, job: Job, code: str, detail: str, at_least: float = 0.0) -> Job:
        delay = max(self.wait(job.strikes + 1), at_least)
        return self._later(job, lambda j: self._struck(j, code, detail), delay)

    def _pass_on(self, job: Job, code: str, detail: str) -> Job:
        return self._later(job, lambda j: j.struck(code, detail).passed_on(), 0)

    def _fail(self, job: Job, code: str, detail: str) -> Job:
        now = self.clock()
        return self._settle(self.leasing.save(job, lambda j: j.but(ticket=None).failed(code, detail, now)))

    def _settle(self, job: Job) -> Job:
        self.settling.settle(job)
        return job

    def _later(self, job: Job, change: Callable[[Job], Job], delay: float) -> Job:
        at = self.clock() + timedelta(seconds=delay)
        waiting = self.leasing.save(job, lambda j: change(j).waiting(at))
        self.queue.send(Message(job_id=job.job_id), delay)
        return waiting

    def _withdraw(self, job_id: str) -> None:
        """The job ended or moved on under this step: leave nothing of it behind."""
        job = self.jobs.get(job_id)
        if job is not None and job.status.terminal and job.due_at is not None:
            self.settling.settle(job)


def _made(job: Job, finished: Finished) -> Job:
    cost = job.cost.but(actual_usd=finished.cost_usd)
    report = None if finished.report is None else dict(finished.report)
    return job.but(cost=cost, made_with=finished.revision, report=report)
