"""The use case behind `POST /generate`: a checked request becomes queued jobs, once per idempotency key."""

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import uuid4

from pydantic import BaseModel

from lambdas.core.admitting import Admission
from lambdas.core.cache import cache_key
from lambdas.core.choosing import OPTIONS, Choice, length_of
from lambdas.core.errors import RequestError
from lambdas.core.jobs import GRACE, Job
from lambdas.core.models import Model
from lambdas.core.pieces import Piece, Webhook
from lambdas.core.ports import Clock, JobStore, Ledger, Message, Queue
from lambdas.core.principals import Principal
from lambdas.core.recordings import Format
from lambdas.core.requests import PROMPT_LENGTH, SEEDS, GenerateRequest
from lambdas.core.sourcing import Sources, Sourcing
from lambdas.core.telling import words

KEPT = timedelta(hours=24)  # how long an idempotency key is remembered
TAKEOVER = timedelta(seconds=10)  # after which an unfinished first try may be taken over by a second
DEADLINE = timedelta(hours=1)


class Memo(BaseModel):
    """What an idempotency key remembers: the request's digest and the ids it was given."""

    digest: str
    job_ids: tuple[str, ...]
    pending_until: datetime | None
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """The jobs made, now or earlier with the same key; with a key, the one answer that it is given."""

    jobs: tuple[Job, ...]
    answer: str | None = None
    replayed: bool = False


@dataclass(frozen=True)
class Submitter:
    jobs: JobStore
    queue: Queue
    ledger: Ledger
    choice: Choice
    sourcing: Sourcing
    admission: Admission
    clock: Clock
    draw_seed: Callable[[], int] = lambda: secrets.randbelow(SEEDS)
    draw_id: Callable[[], str] = lambda: str(uuid4())
    deadline: timedelta = DEADLINE

    def submit(
        self,
        request: GenerateRequest,
        principal: Principal,
        origin: str,
        idempotency_key: str | None = None,
        use_cache: bool = True,
        render: Callable[[Sequence[Job]], str] = lambda _: "",
    ) -> Submission:
        """Queue the jobs of a request. `render` makes the answer that a repeated key is given verbatim.

        Raises RequestError: for what is wrong with it, for its key, and beyond a day's budget.
        """
        model = self.choice.model_for(request)
        if idempotency_key is None:
            ids = tuple(self.draw_id() for _ in range(request.variations))
            return Submission(self._enqueue(request, model, principal, origin, ids, use_cache))
        name = f"idempotency#{principal.id}#{sha256(idempotency_key.encode()).hexdigest()}"
        memo = self._remember(name, request)
        if memo.answer is not None:
            known = tuple(job for job_id in memo.job_ids if (job := self.jobs.get(job_id)))
            return Submission(known, memo.answer, replayed=True)
        try:
            jobs = self._enqueue(request, model, principal, origin, memo.job_ids, use_cache)
        except RequestError:
            self.ledger.put(name, memo.model_dump_json(), self.clock())  # the key is free for a better body
            raise
        answered = memo.model_copy(update={"answer": render(jobs), "pending_until": None})
        self.ledger.put(name, answered.model_dump_json(), self.clock() + KEPT)
        return Submission(jobs, answered.answer)

    def _remember(self, name: str, request: GenerateRequest) -> Memo:
        now = self.clock()
        mine = Memo(
            digest=_digest(request),
            job_ids=tuple(self.draw_id() for _ in range(request.variations)),
            pending_until=now + TAKEOVER,
        )
        found = self.ledger.claim(name, mine.model_dump_json(), now + KEPT)
        theirs = mine if found is None else Memo.model_validate_json(found)
        if theirs == mine:
            return mine  # claimed; or an earlier try of the same write landed and its answer was lost
        if theirs.digest != mine.digest:
            raise RequestError("idempotency_mismatch", "This Idempotency-Key was used with another body.")
        if theirs.pending_until is not None and theirs.pending_until > now:
            raise RequestError(
                "idempotency_in_progress",
                "The first request with this Idempotency-Key is still being handled.",
                retry_after=1,
            )
        return theirs

    def _enqueue(
        self,
        request: GenerateRequest,
        model: Model,
        principal: Principal,
        origin: str,
        ids: Sequence[str],
        use_cache: bool,
    ) -> tuple[Job, ...]:
        sources = self.sourcing.find(request, principal)
        first = self.draw_seed() if request.seed is None else request.seed
        made = []
        for nth, job_id in enumerate(ids):
            piece = _piece(request, model, (first + nth) % SEEDS, sources)
            cached = request.seed is not None and use_cache
            source = self._made_before(principal, piece) if cached else None
            job = self._job(request, model, principal, origin, piece, job_id, ids, source)
            if not self.jobs.insert(job):
                job = self.jobs.get(job_id) or job  # a first try with this key got this far
            made.append(job)
        made = list(self.admission.admit(made))
        self.queue.send_all([Message(job_id=job.job_id) for job in made])
        return tuple(made)

    def _made_before(self, principal: Principal, piece: Piece) -> str | None:
        """The job that made the same before, while its audio is there."""
        found = self.ledger.get(cache_key(principal.id, piece))
        job = self.jobs.get(found) if found else None
        if job is None or not job.playable or job.expires_at <= self.clock():
            return None
        return job.job_id

    def _job(
        self,
        request: GenerateRequest,
        model: Model,
        principal: Principal,
        origin: str,
        piece: Piece,
        job_id: str,
        ids: Sequence[str],
        source: str | None,
    ) -> Job:
        now = self.clock()
        job = Job(
            job_id=job_id,
            owner=principal.id,
            piece=piece,
            message=words(piece).queued,
            created_at=now,
            due_at=now + GRACE,
            deadline_at=now + self.deadline,
            expires_at=now + timedelta(days=principal.retention_days),
            retention_days=principal.retention_days,
            mock=model.mock,
            licence=model.licence,
            variations=tuple(ids) if len(ids) > 1 else (),
            copy_of=source,
            webhook=Webhook(url=request.webhook_url, origin=origin) if request.webhook_url else None,
        )
        return job if source else _costed(job, model)


def _piece(request: GenerateRequest, model: Model, seed: int, sources: Sources) -> Piece:
    prompt = request.prompt or ""
    return Piece(
        model=model.id,
        model_revision=model.revision,
        prompt=prompt or sources.title[:PROMPT_LENGTH],
        effective_prompt=f"{request.genre} music: {prompt}" if request.genre and prompt else prompt,
        duration=length_of(request, model),
        seed=seed,
        format=Format(request.format),
        genre=request.genre,
        tracks=sources.tracks,
        audio=sources.audio,
        **{name: getattr(request, name) for name in OPTIONS},
    )


def _costed(job: Job, model: Model) -> Job:
    """With what it is expected to cost; a job that costs something waits."""
    expected, most = model.estimate(job.piece.duration)
    return job.costed(expected, most).but(admitted=not most)


def _digest(request: GenerateRequest) -> str:
    return sha256(json.dumps(request.model_dump(), sort_keys=True).encode()).hexdigest()
