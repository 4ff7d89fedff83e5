"""A job's life: queued → processing → completed | failed | canceled, as one frozen value and its transitions.

Every transition returns a new value. None of them knows of a clock, a table or a queue.
"""

from datetime import datetime, timedelta
from typing import Self

from pydantic import Field

from lambdas.core.accounts import Account
from lambdas.core.errors import RequestError, Superseded
from lambdas.core.keys import input_key as input_key
from lambdas.core.keys import keys_of as keys_of
from lambdas.core.keys import progress_key as progress_key
from lambdas.core.keys import raw_key as raw_key
from lambdas.core.keys import tail_key as tail_key
from lambdas.core.pieces import (
    Audio,
    Fault,
    Lease,
    Piece,
    Take,
    Ticket,
    Timings,
    Trial,
    Webhook,
)
from lambdas.core.pieces import Filter as Filter
from lambdas.core.pieces import Status as Status
from lambdas.core.segments import Part, Segment
from lambdas.core.telling import CONVERTING, MUSIC, words

GRACE = timedelta(seconds=60)
"""How long after the moment a message should have arrived the janitor waits before it looks."""

SLACK = timedelta(seconds=1)
"""How far clocks may differ before a message counts as early."""

STRIKES = 3
"""Failures that a host is forgiven for one job, or one segment of it; times in a row that it may be full."""


class Job(Account):
    job_id: str
    owner: str
    piece: Piece
    created_at: datetime
    deadline_at: datetime
    expires_at: datetime
    retention_days: int
    due_at: datetime | None  # when the janitor looks, should no message come; None once nothing is left to do
    mock: bool = False
    licence: str
    version: int = 0
    status: Status = Status.QUEUED
    progress: int = 0
    message: str = MUSIC.queued
    title: str | None = None
    favourite: bool = False
    deleted: bool = False
    variations: tuple[str, ...] = ()
    copy_of: str | None = None
    webhook: Webhook | None = None
    timings: Timings = Timings()
    lease: Lease | None = None
    inputs: tuple[Take, ...] | None = None  # the piece's sources, ready for a model; None until they are
    check_at: datetime | None = None  # when the message that is on its way arrives
    strikes: dict[str, int] = Field(default_factory=dict)  # by host: failures that were forgiven
    deferrals: dict[str, int] = Field(default_factory=dict)  # by host: times that it had no place
    remade: int = 0  # parts that were made again
    misses: int = 0  # checks in a row that got no answer
    ticket: Ticket | None = None
    probe: bool = False  # the attempt under way is to show whether its host has recovered
    segment: Segment | None = None  # what the attempt under way makes, when that is not the whole piece
    parts: tuple[Part, ...] = ()  # segments that are there, without a gap from the piece's start
    trials: tuple[Trial, ...] = ()
    made_with: str | None = None  # the revision that made it, where that is not the piece's own
    report: dict[str, float | str] | None = None  # what the model says of its result
    audio: Audio | None = None
    fault: Fault | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None

    @property
    def name(self) -> str:
        """What its owner calls it, or else asked for."""
        return self.title or self.piece.prompt

    @property
    def revision(self) -> str:
        """Of what made it, as far as its host says."""
        return self.made_with or self.piece.model_revision

    @property
    def prepared(self) -> bool:
        return self.inputs is not None or not self.piece.sources

    @property
    def made(self) -> float:
        """Seconds of the piece that are there."""
        return self.parts[-1].end if self.parts else 0.0

    @property
    def start_lost(self) -> bool:
        """An attempt was begun and no ticket was stored: its worker died, and what it started is unknown."""
        return self.backend is not None and self.ticket is None

    @property
    def playable(self) -> bool:
        """Its audio is there, as long as it is kept."""
        return self.status is Status.COMPLETED and not self.deleted

    def leased(self, now: datetime) -> bool:
        return self.lease is not None and self.lease.until > now

    def early(self, now: datetime) -> bool:
        """A message is on its way for a later moment, so the one that came now is a hint or a copy."""
        return self.check_at is not None and now < self.check_at - SLACK

    # The worker's transitions. Each keeps the lease unless it ends the step.

    def claimed(self, holder: str, until: datetime) -> Self:
        return self.but(lease=Lease(holder=holder, until=until), due_at=until + GRACE)

    def held_by(self, holder: str) -> Self:
        """This job, or Superseded when it has ended or belongs to another worker."""
        if self.lease is None or self.lease.holder != holder or self.status.terminal or self.deleted:
            raise Superseded(self.job_id)
        return self

    def preparing(self, now: datetime) -> Self:
        return self.but(
            status=Status.PROCESSING,
            progress=max(self.progress, CONVERTING[0]),
            message=CONVERTING[1],
            started_at=self.started_at or now,
        )

    def begun(
        self,
        backend: str,
        now: datetime,
        segment: Segment | None = None,
        probe: bool = False,
        expected_usd: float = 0.0,
    ) -> Self:
        """A new attempt, written down before anything is started, so that it is started at most once."""
        return self.but(
            status=Status.PROCESSING,
            attempt=self.attempt + 1,
            backend=backend,
            segment=segment,
            probe=probe,
            expected_usd=expected_usd,
            ticket=None,
            misses=0,
            progress=max(self.progress, 1),
            message=words(self.piece).starting or self.message,
            started_at=self.started_at or now,
            timings=self.timings.but(queued_s=_seconds(self.created_at, self.started_at or now)),
        )

    def started(self, ticket: Ticket, check_at: datetime) -> Self:
        told = words(self.piece).making or self.message
        return self.but(ticket=ticket, message=told, progress=max(self.progress, 5)).waiting(check_at)

    def waiting(self, check_at: datetime) -> Self:
        return self.but(lease=None, check_at=check_at, due_at=check_at + GRACE)

    def progressed(self, progress: int, message: str) -> Self:
        """Progress never goes back, and only a finished job shows 100."""
        return self.but(progress=max(self.progress, min(progress, 99)), message=message, misses=0)

    def missed(self) -> Self:
        return self.but(misses=self.misses + 1)

    def tried(self, backend: str, code: str, detail: str) -> Self:
        trial = Trial(attempt=self.attempt, backend=backend, code=code, detail=detail)
        return self.but(trials=(*self.trials, trial))

    def struck(self, code: str, detail: str, strikes: int = 1) -> Self:
        """The attempt gave nothing. So many strikes as are forgiven send the job to another host."""
        host = self.backend or ""
        held = min(STRIKES, self.strikes.get(host, 0) + strikes)
        again = "Trying another host" if held == STRIKES else "Trying again after a temporary fault"
        return self.tried(host, code, detail).but(
            strikes={**self.strikes, host: held}, backend=None, ticket=None, message=again
        )

    def put_off(self, code: str, detail: str) -> Self:
        """The host is well and cannot take it yet: nobody's fault, and told once, however often it is so."""
        host = self.backend or ""
        last = next((trial for trial in reversed(self.trials) if trial.backend == host), None)
        told = self if last is not None and last.code == code else self.tried(host, code, detail)
        deferrals = {**self.deferrals, host: self.deferrals.get(host, 0) + 1}
        waiting = "Waiting for a free place at the model"
        return told.but(deferrals=deferrals, backend=None, ticket=None, message=waiting)

    def kept(self, part: Part) -> Self:
        """A segment is there: the next begins anew, and what its host was forgiven is forgotten."""
        strikes, deferrals = (
            {host: count for host, count in counts.items() if host != self.backend}
            for counts in (self.strikes, self.deferrals)
        )
        done = self.but(parts=(*self.parts, part), strikes=strikes, deferrals=deferrals)
        return done.but(backend=None, ticket=None, segment=None, misses=0)

    def completed(self, audio: Audio, mastering_s: float, model_s: float, now: datetime) -> Self:
        return self.but(
            status=Status.COMPLETED,
            progress=100,
            message=words(self.piece).completed,
            audio=audio,
            completed_at=now,
            timings=self.timings.but(mastering_s=round(mastering_s, 3), model_s=round(model_s, 3)),
        )

    def failed(self, code: str, detail: str, now: datetime) -> Self:
        told, fault = words(self.piece).failed.format(why=detail), Fault(code=code, detail=detail)
        return self.but(status=Status.FAILED, message=told, fault=fault, completed_at=now)

    def settled(self) -> Self:
        """Nothing is left to do: the janitor forgets the job until it expires."""
        return self.but(lease=None, due_at=None)

    # The owner's transitions.

    def canceled(self, now: datetime) -> Self:
        if self.status.terminal:
            raise RequestError("already_terminal", f"The job is already {self.status}.")
        return self.but(status=Status.CANCELED, message="Canceled", completed_at=now, due_at=now)

    def erased(self, now: datetime) -> Self:
        """Gone for everybody at once; its row and files follow."""
        ended = self if self.status.terminal else self.canceled(now)
        return ended.but(deleted=True, due_at=now)


def _seconds(start: datetime, end: datetime) -> float:
    return round((end - start).total_seconds(), 3)
