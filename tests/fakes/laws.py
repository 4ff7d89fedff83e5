"""What must hold of jobs and files at every moment, and what must hold once everything has come to rest."""

from collections import defaultdict
from collections.abc import Iterable
from hashlib import sha256
from math import isclose

from lambdas.core.jobs import Job, Status, keys_of
from tests.fakes.hosts import MemoryHost
from tests.fakes.stores import MemoryJobs, MemoryLedger, MemoryObjects


class Unlawful(BaseException):
    """A law was broken. No handler of ordinary errors in the code under test may hide it."""


class Laws:
    def __init__(
        self, jobs: MemoryJobs, objects: MemoryObjects, ledger: MemoryLedger, hosts: Iterable[MemoryHost]
    ) -> None:
        self._jobs, self._objects, self._ledger, self._hosts = jobs, objects, ledger, hosts
        self.seen: dict[str, Job] = {}  # every job there ever was, as it was last
        self.before: list[Job] = []  # jobs that went before another took their id
        self._digests: dict[str, tuple[bytes, str]] = {}  # of files as they were last, by key
        self.billed: set[str] = set()  # works whose cost is counted

    def hold(self) -> None:
        try:
            self._look()
        except AssertionError as error:
            raise Unlawful(str(error)) from error

    def _look(self) -> None:
        for job in self._jobs.rows:
            before = self.seen.get(job.job_id)
            self.seen[job.job_id] = job
            if before is not None and before.created_at != job.created_at:
                self.before.append(before)
            elif before is not None and before.version != job.version:
                _follows(before, job)
                self._is_billed(before, job)
            if job.status is Status.COMPLETED and not job.deleted:
                self._has_its_files(job)
        for host in self._hosts:
            assert set(host.starts.values()) <= {1}, f"started more than once: {host.starts}"
            longest = max((work.piece.duration for work in host.works), default=0.0)
            assert longest <= host.longest + 1e-6, f"asked for {longest} s of {host.longest}"

    def hold_at_rest(self) -> None:
        self.hold()
        kept: set[str] = set()
        for job in self._jobs.rows:
            assert job.status.terminal, f"{job.job_id} is still {job.status}"
            assert job.due_at is None, f"{job.job_id} is not settled"
            assert not job.deleted, f"{job.job_id} was deleted and is still there"
            assert (job.fault is not None) == (job.status is Status.FAILED)
            if job.status is Status.COMPLETED:
                kept |= set(keys_of(job).values())
        self._are_paid_for()
        started = {ticket.partition(":")[2] for host in self._hosts for ticket in host.tickets}
        assert started <= self.billed, f"made for nothing: {started - self.billed}"
        left = {key for key in self._objects.files if not key.startswith("uploads/")}
        assert left == kept, f"left behind: {left - kept}"

    def _is_billed(self, before: Job, job: Job) -> None:
        """An attempt costs once what its host said of it, or what was expected where that was not heard; only
        what was not started may cost nothing."""
        cost = (job.cost.actual_usd or 0.0) - (before.cost.actual_usd or 0.0)
        if job.paid == before.paid:
            assert cost == 0, f"{job.job_id} was billed {cost} more for nothing"
            return
        work = f"{job.job_id}-{job.paid}"
        self.billed.add(work)
        if not any(name.startswith(f"{job.job_id}-") for host in self._hosts for name in host.starts):
            return  # a host of the test's own made it, and keeps no books for us
        said = {cost for host in self._hosts for cost in host.charged.get(work, ())}
        started = any(f"{host.name}:{work}" in host.tickets for host in self._hosts)
        expected = (before if before.attempt == job.paid else job).expected_usd
        right = {expected, *said, *(set() if started else {0.0})}
        assert any(isclose(cost, each, abs_tol=1e-6) for each in right), f"{work} cost {cost}, not {right}"

    def _are_paid_for(self) -> None:
        """What the ledger says was spent is what the jobs did cost, to the last of them."""
        due = defaultdict[str, float](float)
        for job in (*self.before, *self.seen.values()):
            for key in (f"spent#{job.created_at:%Y-%m-%d}", f"spent#{job.created_at:%Y-%m-%d}#{job.owner}"):
                due[key] += job.cost.actual_usd or 0.0
        for key in {*due, *self._ledger.sums("spent#20")}:
            told = float(self._ledger.get(key) or 0.0)
            assert isclose(told, due[key], abs_tol=1e-6), f"{key}: {told} instead of {due[key]}"

    def _has_its_files(self, job: Job) -> None:
        keys = keys_of(job)
        assert job.audio is not None
        assert self._objects.read(keys["peaks"]) is not None, f"{job.job_id} has no peaks"
        for format, file in job.audio.files.items():
            data = self._objects.read(keys[format])
            assert data is not None, f"{job.job_id} has a link without a file: {format}"
            seen, digest = self._digests.get(keys[format], (b"", ""))
            digest = digest if seen is data else sha256(data).hexdigest()
            self._digests[keys[format]] = (data, digest)
            assert (len(data), digest) == (file.bytes, file.sha256), f"{format} is another"


def _follows(before: Job, job: Job) -> None:
    assert job.version > before.version, f"version went from {before.version} to {job.version}"
    assert job.progress >= before.progress, f"progress went from {before.progress} to {job.progress}"
    assert job.attempt >= before.attempt
    if before.status.terminal:
        assert job.status is before.status, f"{before.status} became {job.status}"
        assert (job.fault, job.audio) == (before.fault, before.audio)
