"""An owner's jobs: read, list, rename, cancel, delete. To anybody else they do not exist."""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lambdas.core.errors import Conflict, Pointer, RequestError, TransientError
from lambdas.core.jobs import Filter, Job, Status, keys_of
from lambdas.core.leasing import RACES
from lambdas.core.models import Model
from lambdas.core.ports import Clock, JobIndex, JobStore, Message, ObjectStore, Page, Queue
from lambdas.core.principals import Principal
from lambdas.core.recordings import Format
from lambdas.core.views import Standing

CURSOR_LENGTH = 1000
OVERHEAD_S = 1.0  # a job's seconds outside its model


@dataclass(frozen=True)
class Collection:
    jobs: JobStore
    index: JobIndex
    queue: Queue
    objects: ObjectStore
    models: Mapping[str, Model]
    clock: Clock

    def find(self, job_id: str, principal: Principal) -> Job:
        """Raises RequestError not_found: unknown, another's, deleted and expired jobs look the same."""
        job = self._row(job_id, principal)
        if job.expires_at <= self.clock():
            raise _not_found()
        return job

    def audio_key(self, job_id: str, principal: Principal, format: Format | None) -> tuple[Job, str, Format]:
        """Where the audio lies. Raises RequestError not_found, expired, not_ready."""
        job = self._row(job_id, principal)
        if job.expires_at <= self.clock():
            raise RequestError("expired", "The audio was kept until it expired, and is gone.")
        if job.status is not Status.COMPLETED:
            raise RequestError("not_ready", f"The job is {job.status}: there is no audio to fetch.")
        wanted = format or job.piece.format
        return job, keys_of(job)[wanted], wanted

    def page(
        self,
        principal: Principal,
        limit: int,
        cursor: str | None,
        status: Filter | None,
        favourite: bool | None,
    ) -> tuple[Page, str | None]:
        """A page of jobs and the cursor of the next. Raises RequestError invalid_cursor."""
        after = _open_cursor(cursor, principal) if cursor is not None else None
        page = self.index.owned_by(principal.id, limit, after, status, favourite)
        now = self.clock()
        live = tuple(job for job in page.jobs if job.expires_at > now and not job.deleted and job.admitted)
        following = _seal_cursor(page.after, principal) if page.after is not None else None
        return Page(live, page.after), following

    def standing(self, job: Job) -> Standing:
        """Where a pending job stands in the queue, and how long its music is likely to take yet."""
        if job.status.terminal:
            return Standing()
        ahead = self.index.queued_before(job) if job.status is Status.QUEUED else 0
        model = self.models.get(job.piece.model)  # a later deployment may have it no more
        each = OVERHEAD_S + (model.work_per_second if model else 0) * job.piece.duration
        left = each * (1 - job.progress / 100) + ahead * each
        position = ahead + 1 if job.status is Status.QUEUED else None
        return Standing(position=position, wait_s=round(left, 1))

    def amend(self, job_id: str, principal: Principal, change: Callable[[Job], Job]) -> Job:
        """Read, change, write; again when somebody else wrote first."""
        for _ in range(RACES):
            job = self.find(job_id, principal)
            try:
                return self.jobs.replace(change(job))
            except Conflict:
                continue
        raise TransientError("contended", "The job kept changing; try again.")

    def cancel(self, job_id: str, principal: Principal) -> Job:
        """Raises RequestError already_terminal."""
        canceled = self.amend(job_id, principal, lambda job: job.canceled(self.clock()))
        self.queue.send(Message(job_id=job_id))
        return canceled

    def delete(self, job_id: str, principal: Principal) -> None:
        """Files go now, the row right after; a worker caught in the middle clears up behind itself."""
        job = self.amend(job_id, principal, lambda job: job.erased(self.clock()))
        self.objects.remove(tuple(keys_of(job).values()))
        self.queue.send(Message(job_id=job_id))

    def _row(self, job_id: str, principal: Principal) -> Job:
        job = self.jobs.get(job_id)
        if job is None or job.owner != principal.id or job.deleted or not job.admitted:
            raise _not_found()
        return job


def _not_found() -> RequestError:
    return RequestError("not_found", "There is no such job.")


def _seal_cursor(after: tuple[str, ...], principal: Principal) -> str:
    plain = json.dumps([principal.id, *after], separators=(",", ":"))
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def _open_cursor(cursor: str, principal: Principal) -> tuple[str, ...]:
    """A cursor only ever continues its owner's own list, so nothing is gained by forging one."""
    try:
        padded = cursor[:CURSOR_LENGTH] + "=" * (-len(cursor[:CURSOR_LENGTH]) % 4)
        plain = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        plain = None
    match plain:
        case [principal.id, str(created), str(job_id)] if created and job_id and (created + job_id).isascii():
            return (created, job_id)
    detail = "This cursor is not one that this list gave you."
    raise RequestError("invalid_cursor", detail, [Pointer("cursor", detail)])
