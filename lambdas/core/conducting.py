"""One short step of a job: start the model, ask after it, or master what it made.

Knows the rules of the flow and the ports, and nothing of AWS, HTTP or any model. A step claims the job
with a lease, does one thing, writes one outcome, and puts the job's id back on the queue if more is to come.
Whatever dies between two writes is found again by the job's `due_at`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from lambdas.core import retrying, shelving
from lambdas.core.asking import Asking, Setback, Silence
from lambdas.core.errors import MissingAudio, Superseded, UnusableAudio
from lambdas.core.finishing import Finishing, is_last
from lambdas.core.jobs import Job
from lambdas.core.leasing import Leasing
from lambdas.core.pieces import Ticket
from lambdas.core.ports import Clock, JobStore, Message, ObjectStore, Queue
from lambdas.core.preparing import Preparation
from lambdas.core.retrying import LONGEST_WAIT, backoff
from lambdas.core.routing import Routing
from lambdas.core.settling import Settling
from lambdas.core.spending import Spending
from lambdas.core.telling import EXTRACTING, MADE, words
from lambdas.core.works import Finished, Running

MISSES = 8  # checks in a row that may go unanswered
REMAKES = 3  # parts of one job that may be made again, as nobody can go on from them
LOOKING = 3  # the pause before a host is looked at again that rests, as that after so many failures


@dataclass(frozen=True)
class Conductor:
    jobs: JobStore
    queue: Queue
    objects: ObjectStore
    preparation: Preparation
    routing: Routing
    asking: Asking
    finishing: Finishing
    settling: Settling
    spending: Spending
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
        if not job.admitted:
            return job.erased(now)  # who asked for it was never answered
        if now >= job.deadline_at:
            return job.failed("deadline_exceeded", "The music was not ready in time.", now)
        if job.ticket is not None or job.copy_of is not None:
            return job
        if not job.prepared:
            return job.preparing(now)
        if job.start_lost:
            job = job.billed(None).struck("start_lost", "The start of the model was interrupted.")
        return self.routing.route(job, now)

    def _advance(self, job: Job) -> Job:
        if job.status.terminal:
            return self._settle(job)
        if job.copy_of is not None:
            return self._copy(job)
        if not job.prepared:
            return self._prepare(job)
        if job.backend is None:
            pause = min(LONGEST_WAIT, self.routing.rest(job)) + self.wait(LOOKING)
            return self._later(job, lambda j: j, pause)
        return self._start(job) if job.ticket is None else self._check(job, job.ticket)

    def _prepare(self, job: Job) -> Job:
        try:
            inputs = self.preparation.prepare(job)
        except UnusableAudio as error:
            return self._fail(job, "input_unusable", str(error))
        return self._later(job, lambda j: j.but(inputs=inputs).progressed(*EXTRACTING), 0)

    def _start(self, job: Job) -> Job:
        try:
            if job.parts:
                self.preparation.prepare_tail(job)
        except UnusableAudio as error:
            return self._again_from_before(job, str(error))
        except Exception:
            self.leasing.release(job, 0.0)  # nothing was started
            raise
        outcome = self.asking.start(job)
        if isinstance(outcome, Setback):
            return self._set_back(job, outcome)
        check_at = self.clock() + timedelta(seconds=outcome.check_after)
        try:
            started = self.leasing.save(job, lambda j: j.started(outcome, check_at))
        except Superseded:
            self.settling.call_off(job.backend, outcome)
            raise
        self.queue.send(Message(job_id=job.job_id), outcome.check_after)
        return started

    def _again_from_before(self, job: Job, why: str) -> Job:
        """The segment before cannot be gone on from: make that one again, unless that was in vain before."""
        if job.remade == REMAKES:
            detail = f"Segments were made again {REMAKES} times, and still one cannot be gone on from: {why}"
            return self._fail(job, "segment_unusable", detail)
        return self._later(job, lambda j: _unmade(j).struck("segment_unusable", why), 0)

    def _check(self, job: Job, ticket: Ticket) -> Job:
        match self.asking.check(job, ticket):
            case Running() as running:
                return self._keep(job, running)
            case Finished() as finished:
                return self._finish(job, finished)
            case Silence(why):
                return self._miss(job, ticket, why)
            case Setback() as setback:
                return self._set_back(job, setback)

    def _keep(self, job: Job, state: Running) -> Job:
        share = min(1.0, max(state.progress, 0.0))
        if job.segment is not None:
            share = (job.made + share * (job.segment.end - job.made)) / job.piece.duration
        progress = min(MADE, round(100 * share))
        return self._again(job, lambda j: j.progressed(progress, state.message), state.check_after)

    def _miss(self, job: Job, ticket: Ticket, why: Setback) -> Job:
        if job.misses + 1 < MISSES:
            delay = max(self.wait(job.misses + 1), why.pause)
            return self._again(job, lambda j: j.missed(), delay)
        told = self.settling.call_off(job.backend, ticket)
        cost = why.cost_usd if told is None else told
        return self._set_back(job, replace(why, ask="again", pause=0.0, cost_usd=cost))

    def _again(self, job: Job, change: Callable[[Job], Job], delay: float) -> Job:
        """Check again later. Asked early, by a hint or a copy, leave the message alone that is on its way:
        each message would breed another otherwise, and checks would multiply."""
        if job.check_at is not None and job.early(self.clock()):
            at = job.check_at
            return self.leasing.save(job, lambda j: change(j).waiting(at))
        return self._later(job, change, delay)

    def _finish(self, job: Job, finished: Finished) -> Job:
        mastering = (MADE, words(job.piece).mastering)
        told = mastering if is_last(job) else (job.progress, "Listening to what is there")
        job = self.leasing.save(job, lambda j: _made(j, finished).progressed(*told))
        try:
            return self._completed(job) if is_last(job) else self._kept(job)
        except UnusableAudio as error:
            code = "audio_missing" if isinstance(error, MissingAudio) else "audio_unusable"
            return self._set_back(job, self.asking.fault(job, code, str(error)))

    def _completed(self, job: Job) -> Job:
        began = self.clock()
        audio = self.finishing.master(job)
        self.asking.praise(job)
        now = self.clock()
        model_s = (began - (job.started_at or began)).total_seconds()
        mastering_s = (now - began).total_seconds()
        done = self.leasing.save(job, lambda j: j.completed(audio, mastering_s, model_s, now))
        return self._settle(done)

    def _kept(self, job: Job) -> Job:
        part = self.finishing.part(job)
        self.asking.praise(job)
        share = part.end / job.piece.duration
        told = (min(MADE, round(100 * share)), words(job.piece).making or job.message)
        return self._later(job, lambda j: j.kept(part).progressed(*told), 0)

    def _copy(self, job: Job) -> Job:
        """Answer a seeded request with the audio that the same request made earlier, if it is still there."""
        audio = shelving.copy(self.objects, self.jobs.get(job.copy_of or ""), job)
        if audio is None:
            return self._make_instead(job)
        now = self.clock()
        free = job.cost.but(actual_usd=0.0)
        return self._settle(
            self.leasing.save(job, lambda j: j.but(cost=free).completed(audio, 0.0, 0.0, now))
        )

    def _make_instead(self, job: Job) -> Job:
        """There is nothing to be copied: it is made if the day's budgets leave room, as if asked anew."""
        estimate = self.routing.estimate(job)
        job = self.leasing.save(job, lambda j: j.costed(*estimate))  # its row tells of a cost that is counted
        refusal = self.spending.take_on(job)
        if refusal is not None:
            return self._fail(job, refusal.code, refusal.detail)
        return self._later(job, lambda j: j.but(copy_of=None), 0)

    def _set_back(self, job: Job, why: Setback) -> Job:
        if why.ask == "nobody":
            return self._fail(job, why.code, why.detail, why.cost_usd)
        self.asking.leave(job)
        following = self.routing.following(retrying.without(job, why))
        delay = retrying.pause(job, why, following, self.wait)
        return self._later(job, lambda j: retrying.without(j, why), delay)

    def _fail(self, job: Job, code: str, detail: str, cost_usd: float | None = 0.0) -> Job:
        now = self.clock()
        return self._settle(
            self.leasing.save(job, lambda j: j.billed(cost_usd).but(ticket=None).failed(code, detail, now))
        )

    def _settle(self, job: Job) -> Job:
        self.asking.leave(job)
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
            self._settle(job)


def _unmade(job: Job) -> Job:
    return job.but(parts=job.parts[:-1], remade=job.remade + 1)


def _made(job: Job, finished: Finished) -> Job:
    report = None if finished.report is None else dict(finished.report)
    return job.billed(finished.cost_usd).but(made_with=finished.revision, report=report)
