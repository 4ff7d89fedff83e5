"""A day of jobs through the real core on a clock that jumps: stores in memory, hosts that come and go.

Hosts have no end of machines. What a call to a dead host keeps a function waiting is counted and does not
move the clock, as functions wait side by side.
"""

import heapq
import random
from bisect import bisect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from lambdas.core.admitting import Admission
from lambdas.core.asking import Asking
from lambdas.core.breaking import Breakers, Policy
from lambdas.core.choosing import Choice
from lambdas.core.commissioning import Commissioning
from lambdas.core.conducting import Conductor
from lambdas.core.errors import Conflict, TransientError
from lambdas.core.finishing import Finishing
from lambdas.core.jobs import Job
from lambdas.core.leasing import Leasing
from lambdas.core.models import CATALOGUE, Model, offered
from lambdas.core.pieces import Ticket
from lambdas.core.ports import Failed, Finished, Message, Running, Work
from lambdas.core.preparing import Preparation
from lambdas.core.principals import anonymous
from lambdas.core.requests import GenerateRequest
from lambdas.core.retrying import backoff
from lambdas.core.routing import Routing
from lambdas.core.settling import Settling
from lambdas.core.sourcing import Sourcing
from lambdas.core.spending import Spending
from lambdas.core.submitting import Submitter
from lambdas.core.uploading import Uploads
from tests.fakes.hosts import MemoryJoining, MemoryMastering, MemoryPreparing
from tests.fakes.stores import MemoryLedger, MemoryObjects, Time
from tests.fakes.wire import Wire

MODEL = "musicgen-large"
DAY = 24 * 3600.0
CONNECT_S = 10.0  # that a function waits for a host which does not answer: two tries of five seconds
LEASE = timedelta(seconds=150)


@dataclass
class Rows:
    """Implements ports.JobStore, without turning rows into text and back."""

    jobs: dict[str, Job] = field(default_factory=dict)

    def insert(self, job: Job) -> bool:
        return self.jobs.setdefault(job.job_id, job) is job

    def get(self, job_id: str) -> Job | None:
        return self.jobs.get(job_id)

    def replace(self, job: Job) -> Job:
        if self.jobs[job.job_id].version != job.version:
            raise Conflict(job.job_id)
        self.jobs[job.job_id] = job.but(version=job.version + 1)
        return self.jobs[job.job_id]

    def remove(self, job: Job) -> None:
        self.jobs.pop(job.job_id, None)


@dataclass
class Agenda:
    """Implements ports.Queue: messages in the order that they are due."""

    clock: Time
    letters: list[tuple[datetime, int, str]] = field(default_factory=list)
    _order: Iterator[int] = field(default_factory=count)

    def send(self, message: Message, delay: float = 0) -> None:
        due = self.clock() + timedelta(seconds=min(900.0, delay))
        heapq.heappush(self.letters, (due, next(self._order), message.job_id))

    def send_all(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self.send(message)


@dataclass
class Host:
    """Implements ports.Backend. `turns`: when it goes down and comes up by turns, losing what it works on."""

    clock: Time
    chance: random.Random
    usd_per_second: float
    work_s: float
    boot_s: float = 0.0
    faulty: float = 0.0  # share of works that fail at their end
    longest: float = 30.0
    turns: Sequence[datetime] = ()
    calls: Counter[str] = field(default_factory=Counter)
    put: Callable[[str, bytes], object] = lambda url, audio: None

    def start(self, work: Work) -> Ticket:
        self._answer("start")
        self.put(work.output_url, b"audio")
        return Ticket(id=str(self.clock().timestamp()), check_after=self.boot_s + self.work_s)

    def check(self, work: Work, ticket: Ticket) -> Running | Finished | Failed:
        self._answer("check")
        began = float(ticket.id)
        if bisect(self.turns, datetime.fromtimestamp(began, self.clock().tzinfo)) != self._turn:
            return Failed("unknown_work", "It was lost.", transient=True)
        left = began + self.boot_s + self.work_s - self.clock().timestamp()
        if left > 0:
            return Running(0.5, check_after=max(1.0, left))
        cost = self.usd_per_second * self.work_s
        if self.chance.random() < self.faulty:
            return Failed("failed", "It broke.", transient=True, cost_usd=cost)
        return Finished(cost_usd=cost)

    def cancel(self, ticket: Ticket) -> None:
        self.calls["cancel"] += 1

    @property
    def _turn(self) -> int:
        return bisect(self.turns, self.clock())

    def _answer(self, call: str) -> None:
        self.calls[call] += 1
        if self._turn % 2:
            self.calls["unanswered"] += 1
            raise TransientError("unreachable", "Nobody answers.")


@dataclass
class Outcome:
    jobs: list[Job]
    hosts: Mapping[str, Host]
    calls: Counter[str]  # of ports
    steps: int
    told: Counter[str]


def flapping(start: datetime, chance: random.Random, up_s: float, down_s: float) -> list[datetime]:
    """Moments at which a host goes down and comes up by turns, in a day; means of exponential times."""
    turns, at = list[datetime](), 0.0
    while at < DAY:
        at += chance.expovariate(1 / (down_s if len(turns) % 2 else up_s))
        turns.append(start + timedelta(seconds=at))
    return turns


class Day:
    """One deployment, its chain, and the hosts on it."""

    def __init__(self, chain: Sequence[str], policy: Policy, hosts: Mapping[str, Host], time: Time) -> None:
        self.time, self.hosts, self.rows = time, hosts, Rows()
        self.agenda, self.told = Agenda(time), Counter[str]()
        self.wire, self.chance = Wire(), random.Random(3)
        self._assemble({MODEL: tuple(chain)}, policy)

    def _assemble(self, chains: dict[str, tuple[str, ...]], policy: Policy) -> None:
        wire, clock = self.wire.through, self.time
        jobs, queue = wire("jobs", self.rows), wire("queue", self.agenda)
        bucket = MemoryObjects(clock)
        objects, links = wire("objects", bucket), wire("links", bucket)
        for host in self.hosts.values():
            host.put = bucket.send
        ledger = wire("ledger", MemoryLedger(clock))
        hosts = {name: wire(name, host) for name, host in self.hosts.items()}
        breakers = Breakers(ledger, clock, policy, self.chance.random, lambda name, _: self._tell(name))
        spending = Spending(ledger, clock)
        models = offered(chains, {"replicate": "a100-80gb"})
        self.submitter = self._submitter(jobs, queue, ledger, wire("inbox", bucket), models, spending)
        self.conductor = Conductor(
            jobs=jobs,
            queue=queue,
            objects=objects,
            preparation=Preparation(objects, MemoryPreparing(), CATALOGUE),
            routing=Routing(chains, hosts, models, breakers),
            asking=Asking(hosts, Commissioning(links), breakers),
            finishing=Finishing(objects, MemoryJoining(), MemoryMastering()),
            settling=Settling(jobs, objects, ledger, spending, wire("deliveries", Agenda(clock)), hosts),
            spending=spending,
            leasing=Leasing(jobs, clock, LEASE),
            clock=clock,
            wait=lambda failures: backoff(failures, self.chance.random),
        )

    def _submitter(
        self, jobs: Any, queue: Any, ledger: Any, inbox: Any, models: dict[str, Model], spending: Spending
    ) -> Submitter:
        ids = count(1)
        return Submitter(
            jobs=jobs,
            queue=queue,
            ledger=ledger,
            choice=Choice(models, {"CC-BY-NC-4.0"}),
            sourcing=Sourcing(jobs, Uploads(inbox, ledger, self.time), self.time),
            admission=Admission(jobs, queue, spending, self.time),
            clock=self.time,
            draw_seed=lambda: 7,
            draw_id=lambda: f"job-{next(ids)}",
        )

    def _tell(self, name: str) -> None:
        self.told[name] += 1

    def live(self, arrivals: Sequence[datetime], duration: float) -> Outcome:
        """Everything that happens, to the end of the last job."""
        request = GenerateRequest(prompt="rain on a tin roof", model=MODEL, duration=duration)
        coming, steps = iter(arrivals), 0
        arrival = next(coming, None)
        while self.agenda.letters or arrival is not None:
            due = self.agenda.letters[0][0] if self.agenda.letters else None
            if arrival is not None and (due is None or arrival <= due):
                self.time.now = arrival
                self.submitter.submit(request, anonymous(1), "https://cadenza.example/v1")
                arrival = next(coming, None)
                continue
            moment, _, job_id = heapq.heappop(self.agenda.letters)
            self.time.now = max(self.time.now, moment)
            self.conductor.step(job_id)
            steps += 1
        calls = Counter(self.wire.calls)
        return Outcome(list(self.rows.jobs.values()), self.hosts, calls, steps, self.told)
