"""Circuit breakers: a host that keeps failing is left alone for a while, by every function at once.

What all of them share lies in the ledger, under a few keys per host, and is written on failures and changes
only: a host in good order costs nothing but a read every few seconds. A breaker is

    closed      the host is asked; failures are counted
    open        nobody asks it, until a moment that lies further away with each opening
    half-open   that moment has passed: one job is let through as a probe, and how it fares decides, and
                nothing else that is heard of the host

Follows M. Nygard, Release It! (2007), with the sliding window of two counters that Cloudflare describes in
https://blog.cloudflare.com/counting-things-a-lot-of-different-things. Must not know what a host is.
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from lambdas.core.pieces import Frozen
from lambdas.core.ports import Clock, Ledger, Tell, untold

EXEMPT = frozenset({"mock"})
"""Hosts that are always asked: the mock is this very process."""

REMEMBERED = timedelta(hours=1)  # what has failed; no attempt is asked after for longer


class Breaker(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Policy:
    """When a breaker opens, and for how long. Seconds."""

    failures: int = 5
    within: float = 60.0
    rest: float = 30.0  # after the first opening; twice as long after each further one
    longest_rest: float = 120.0
    probe: float = 300.0  # how long the one job that is let through has to show how it fares
    fresh: float = 5.0  # how long a process believes what it read


class Fuse(Frozen):
    """What the ledger says of a host that has failed too often, now or not long ago."""

    openings: int = 0
    until: datetime | None = None  # of the rest; None when the host has recovered

    def state(self, now: datetime) -> Breaker:
        if self.until is None:
            return Breaker.CLOSED
        return Breaker.OPEN if now < self.until else Breaker.HALF_OPEN


@dataclass
class Breakers:
    ledger: Ledger
    clock: Clock
    policy: Policy = field(default_factory=Policy)
    spread: Callable[[], float] = random.random
    tell: Tell = untold
    _seen: dict[str, tuple[Fuse, datetime]] = field(default_factory=dict)  # with when it was read

    def states(self, hosts: Iterable[str]) -> Mapping[str, Breaker]:
        now = self.clock()
        return {host: self._fuse(host).state(now) for host in hosts}

    def admits(self, host: str, job_id: str) -> bool:
        """Whether this job may be given to the host. Half-open, one job may; asked again, it still may."""
        now, fuse = self.clock(), self._fuse(host)
        if fuse.state(now) is Breaker.CLOSED:
            return True
        if fuse.state(now) is Breaker.OPEN:
            return False
        until = now + timedelta(seconds=self.policy.probe)
        return self.ledger.claim(_probe(host, fuse), job_id, until) in (None, job_id)

    def release(self, host: str, job_id: str) -> None:
        """The job's probe ended without a word on how the host fares: another job may be let through."""
        now, fuse = self.clock(), self._fuse(host)
        if fuse.state(now) is Breaker.HALF_OPEN and self.ledger.get(_probe(host, fuse)) == job_id:
            self.ledger.put(_probe(host, fuse), "", now)

    def rest(self, hosts: Iterable[str]) -> float:
        """Seconds until the first of these hosts may be asked again; 0 when that is a matter of a probe."""
        now = self.clock()
        ends = [self._fuse(host).until or now for host in hosts]
        return max(0.0, (min(ends, default=now) - now).total_seconds())

    def failed(self, host: str, code: str, once: str, probe: bool = False) -> None:
        """Count a failure of the host's own; `once` names what failed, however often that is told."""
        self.tell("BackendFailures", {"backend": host, "code": code})
        if host in EXEMPT:
            return
        now, fuse = self.clock(), self._read(host) if probe else self._fuse(host)
        if fuse.state(now) is Breaker.CLOSED:
            opens = self._too_many(host, fuse, once, now)
        else:
            opens = probe and fuse.state(now) is Breaker.HALF_OPEN and self._counted([], host, once, now)
        if opens:
            self._open(host, fuse, now)

    def succeeded(self, host: str, probe: bool = False) -> None:
        """The host is well. Writes only when that ends a rest, which only a probe can."""
        if host in EXEMPT or not probe:
            return
        fuse = self._read(host)
        if fuse.state(self.clock()) is Breaker.HALF_OPEN:
            self._write(host, Fuse(openings=fuse.openings))
            self.tell("BreakersClosed", {"backend": host})

    def _too_many(self, host: str, fuse: Fuse, once: str, now: datetime) -> bool:
        """Count, and whether the last `within` seconds, since the last opening, have seen too many."""
        within = self.policy.within
        window, into = divmod(now.timestamp(), within)
        this, before = (f"{_key(host)}#failures#{fuse.openings}#{int(window) - ago}" for ago in (0, 1))
        self._counted([this], host, once, now)
        counts = [float(self.ledger.get(key) or 0) for key in (this, before)]
        return counts[0] + counts[1] * (1 - into / within) >= self.policy.failures

    def _counted(self, sums: Sequence[str], host: str, once: str, now: datetime) -> bool:
        """Add a failure to these sums; False when it was told before."""
        return self.ledger.add(sums, 1, f"{_key(host)}#failure#{once}", now + REMEMBERED)

    def _open(self, host: str, seen: Fuse, now: datetime) -> None:
        if self._read(host) != seen:
            return  # somebody else was quicker
        rest = min(self.policy.longest_rest, self.policy.rest * 2.0**seen.openings)
        until = now + timedelta(seconds=rest * (0.75 + self.spread() / 2))
        self._write(host, Fuse(openings=seen.openings + 1, until=until))
        self.tell("BreakersOpened", {"backend": host})

    def _fuse(self, host: str) -> Fuse:
        if host in EXEMPT:
            return Fuse()
        fuse, read_at = self._seen.get(host, (None, None))
        stale = read_at is None or self.clock() - read_at >= timedelta(seconds=self.policy.fresh)
        return self._read(host) if fuse is None or stale else fuse

    def _read(self, host: str) -> Fuse:
        stored = self.ledger.get(_key(host))
        fuse = Fuse() if stored is None else Fuse.read(stored)
        self._seen[host] = (fuse, self.clock())
        return fuse

    def _write(self, host: str, fuse: Fuse) -> None:
        """Openings are remembered for a while: a host which falters again rests longer."""
        memory = timedelta(seconds=4 * self.policy.longest_rest)
        self.ledger.put(_key(host), fuse.model_dump_json(), (fuse.until or self.clock()) + memory)
        self._seen[host] = (fuse, self.clock())


def _key(host: str) -> str:
    return f"breaker#{host}"


def _probe(host: str, fuse: Fuse) -> str:
    return f"{_key(host)}#probe#{fuse.until}"
