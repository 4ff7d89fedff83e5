"""Tables and a bucket in memory, on a clock that one can move. Knows the ports, not what uses them."""

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, quote, urlsplit

from pydantic import ValidationError

from lambdas.core.errors import Conflict
from lambdas.core.jobs import Filter, Job, Status
from lambdas.core.ports import Clock, Form, Page, Stored

Place = tuple[datetime, str]  # of a job in its owner's list: when it was made, its id


class Time:
    """Implements ports.Clock."""

    def __init__(self, now: datetime = datetime(2030, 1, 1, 12, tzinfo=UTC)) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class MemoryJobs:
    """Implements ports.JobStore and ports.JobIndex. Rows are kept as documents, as a table keeps them."""

    def __init__(self) -> None:
        self.documents: dict[str, str] = {}

    @property
    def rows(self) -> list[Job]:
        found = []
        for document in self.documents.values():
            with suppress(ValidationError):
                found.append(Job.read(document))
        return found

    def insert(self, job: Job) -> bool:
        if job.job_id in self.documents:
            return False
        self._write(job)
        return True

    def get(self, job_id: str) -> Job | None:
        document = self.documents.get(job_id)
        return Job.read(document) if document else None

    def replace(self, job: Job) -> Job:
        stored = self.get(job.job_id)
        if stored is None or stored.version != job.version:
            raise Conflict(job.job_id)
        following = job.but(version=job.version + 1)
        self._write(following)
        return following

    def remove(self, job: Job) -> None:
        stored = self.get(job.job_id)
        if stored is not None and stored.version != job.version:
            raise Conflict(job.job_id)
        self.documents.pop(job.job_id, None)

    def owned_by(
        self,
        owner: str,
        limit: int,
        after: tuple[str, ...] | None,
        status: Filter | None,
        favourite: bool | None,
    ) -> Page:
        wanted = [
            job
            for job in sorted(self.rows, key=_place, reverse=True)
            if job.owner == owner
            and not job.deleted
            and (after is None or _sealed(_place(job)) < after)
            and (status is None or job.status == status)
            and (favourite is None or job.favourite == favourite)
        ]
        page = wanted[:limit]
        return Page(tuple(page), _sealed(_place(page[-1])) if len(wanted) > limit else None)

    def overdue(self, now: datetime, limit: int) -> Sequence[str]:
        late = [(job.due_at, job.job_id) for job in self.rows if job.due_at is not None and job.due_at < now]
        return [job_id for _, job_id in sorted(late)[:limit]]

    def queued_before(self, job: Job) -> int:
        if job.due_at is None:
            return 0
        waiting = (row.due_at for row in self.rows if row.status is Status.QUEUED)
        return sum(due_at is not None and due_at < job.due_at for due_at in waiting)

    def _write(self, job: Job) -> None:
        self.documents[job.job_id] = job.model_dump_json(exclude_defaults=True)


def _place(job: Job) -> Place:
    return job.created_at, job.job_id


def _sealed(place: Place) -> tuple[str, str]:
    return place[0].strftime("%Y-%m-%dT%H:%M:%S.%fZ"), place[1]


class MemoryLedger:
    """Implements ports.Ledger."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: dict[str, tuple[str, datetime]] = {}

    def claim(self, key: str, value: str, until: datetime) -> str | None:
        found = self.get(key)
        if found is None:
            self.put(key, value, until)
        return found

    def get(self, key: str) -> str | None:
        value, until = self._entries.get(key, (None, self._clock()))
        return value if until > self._clock() else None

    def put(self, key: str, value: str, until: datetime) -> None:
        self._entries[key] = (value, until)

    def add(self, keys: Sequence[str], amount: float, once: str, until: datetime) -> bool:
        if self.claim(once, "", until) is not None:
            return False
        for key in keys:
            self.put(key, str(float(self.get(key) or 0) + amount), until)
        return True

    def sums(self, start: str) -> Sequence[str]:
        """The keys that begin so."""
        return [key for key in self._entries if key.startswith(start)]


class MemoryObjects:
    """Implements ports.ObjectStore, ports.Links and ports.Inbox. `fetch` and `send` are what a holder of a
    link does, `post` what a holder of a form does."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.files: dict[str, bytes] = {}
        self.names: dict[str, str] = {}

    def read(self, key: str) -> bytes | None:
        return self.files.get(key)

    def write(self, key: str, data: bytes, content_type: str, filename: str) -> None:
        self.files[key] = data
        self.names[key] = json.dumps([content_type, filename])

    def copy(self, source: str, target: str) -> bool:
        if source not in self.files:
            return False
        self.files[target] = self.files[source]
        self.names[target] = self.names.get(source, "")
        return True

    def remove(self, keys: Sequence[str]) -> None:
        for key in keys:
            self.files.pop(key, None)
            self.names.pop(key, None)

    def download(self, key: str, seconds: int, filename: str | None = None) -> str:
        return self._link("GET", key, seconds) + (f"&filename={quote(filename)}" if filename else "")

    def upload(self, key: str, seconds: int) -> str:
        return self._link("PUT", key, seconds)

    def offer(self, key: str, content_type: str, most_bytes: int, seconds: int) -> Form:
        until = (self._clock() + timedelta(seconds=seconds)).timestamp()
        policy = json.dumps([key, content_type, most_bytes, until])
        return Form("memory://bucket", {"key": key, "Content-Type": content_type, "policy": policy})

    def look(self, key: str) -> Stored | None:
        if key not in self.files:
            return None
        content_type, _ = json.loads(self.names.get(key) or '["binary/octet-stream", ""]')
        return Stored(len(self.files[key]), content_type)

    def post(self, form: Form, data: bytes) -> bool:
        """Whether the bucket took a file by a form."""
        key, content_type, most, until = json.loads(form.fields["policy"])
        sent = (form.fields["key"], form.fields["Content-Type"])
        if sent != (key, content_type) or not 1 <= len(data) <= most or until <= self._clock().timestamp():
            return False
        self.write(key, data, content_type, "")
        return True

    def _link(self, method: str, key: str, seconds: int) -> str:
        until = (self._clock() + timedelta(seconds=seconds)).timestamp()
        return f"memory://bucket/{quote(key)}?method={method}&until={until}"

    def fetch(self, link: str) -> bytes | None:
        """The file behind a download link; None when the link is dead or there is no file."""
        key = self._opened("GET", link)
        return self.files.get(key) if key else None

    def send(self, link: str, data: bytes) -> bool:
        """Whether the bucket took an upload."""
        key = self._opened("PUT", link)
        if key:
            self.files[key] = data
        return key is not None

    def _opened(self, method: str, link: str) -> str | None:
        parts = urlsplit(link)
        told = parse_qs(parts.query)
        alive = float(told["until"][0]) > self._clock().timestamp()
        return parts.path.removeprefix("/") if alive and told["method"] == [method] else None
