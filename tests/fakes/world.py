"""A little world: the whole service over ports in memory, on a clock that jumps from event to event.

Delivers messages as a queue does, sends the janitor round every minute, and after every single call
of a port checks what must hold at every moment. Knows the use cases; what to do to them is the tests'.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Any, TypeVar

from lambdas.core.admitting import Admission
from lambdas.core.announcing import Announcer
from lambdas.core.asking import Asking
from lambdas.core.breaking import Breakers, Policy
from lambdas.core.choosing import Choice
from lambdas.core.collection import Collection
from lambdas.core.commissioning import Commissioning
from lambdas.core.conducting import Conductor
from lambdas.core.errors import CadenzaError, RequestError
from lambdas.core.finishing import Finishing
from lambdas.core.jobs import Job, Status
from lambdas.core.leasing import Leasing
from lambdas.core.models import CATALOGUE, Model, Tariff, offered
from lambdas.core.ports import Message
from lambdas.core.preparing import Preparation
from lambdas.core.principals import anonymous
from lambdas.core.requests import GenerateRequest
from lambdas.core.retrying import backoff
from lambdas.core.routing import Routing
from lambdas.core.settling import Settling
from lambdas.core.sourcing import Sourcing
from lambdas.core.spending import Ceilings, Spending
from lambdas.core.submitting import Submitter
from lambdas.core.tidying import Janitor
from lambdas.core.uploading import Uploads
from lambdas.core.views import Reader
from tests.fakes.hosts import MemoryCourier, MemoryHost, MemoryJoining, MemoryMastering, MemoryPreparing
from tests.fakes.laws import Laws
from tests.fakes.queues import MemoryQueue
from tests.fakes.stores import MemoryJobs, MemoryLedger, MemoryObjects, Time
from tests.fakes.wire import Broken, Crash, Wire

ORIGIN = "https://cadenza.example/v1"
OWNER = anonymous(1)
REQUEST = GenerateRequest(prompt="rain on a tin roof", duration=10.0, webhook_url="https://example.com/hook")
LEASE = timedelta(seconds=150)
ROUND = timedelta(minutes=1)  # between the janitor's rounds
T = TypeVar("T")
CENT = 0.01
TURNS = 3000  # events after which a world that is still busy will never rest
LICENCES = {"CC-BY-NC-4.0"}
PATIENCE = 500  # times a client asks again


class World:
    def __init__(
        self,
        *chain: str,
        copies: int = 1,
        random: Random | None = None,
        policy: Policy | None = None,
        ceilings: Ceilings | None = None,
    ) -> None:
        chains = dict.fromkeys(("mock", "cascade", "musicgen-small"), chain or ("first",))
        self.time = Time()
        self.jobs, self.ledger = MemoryJobs(), MemoryLedger(self.time)
        self.objects = MemoryObjects(self.time)
        self.queue = MemoryQueue(self.time, copies, random)
        self.deliveries = MemoryQueue(self.time, copies, random)
        self.hosts = {name: MemoryHost(self.objects.send, name) for name in ("first", "second")}
        self.mastering, self.courier = MemoryMastering(), MemoryCourier()
        self.preparing, self.joining = MemoryPreparing(), MemoryJoining()
        self.policy = policy or Policy()
        self.told: list[tuple[str, Mapping[str, str]]] = []
        self.warned: list[Mapping[str, str]] = []
        self.ceilings = ceilings or Ceilings()
        self.laws = Laws(self.jobs, self.objects, self.ledger, self.hosts.values())
        self.wire = Wire(watch=self.laws.hold)
        self.next_round = self.time.now + ROUND
        self._assemble(chains)

    def _assemble(self, chains: dict[str, tuple[str, ...]]) -> None:
        wire, clock, models, ids = self.wire.through, self.time, _paid(offered(chains)), count(1)
        jobs, queue = wire("jobs", self.jobs), wire("queue", self.queue)
        objects, links = wire("objects", self.objects), wire("links", self.objects)
        ledger, deliveries = wire("ledger", self.ledger), wire("deliveries", self.deliveries)
        hosts = self.backends = {name: wire(name, host) for name, host in self.hosts.items()}
        self.uploads = Uploads(wire("inbox", self.objects), ledger, clock)
        self.spending = Spending(ledger, clock, self.ceilings, self._tell)
        self.submitter = self._submitter(jobs, queue, ledger, models, ids)
        self.collection = Collection(jobs, jobs, queue, objects, models, clock)
        preparation = Preparation(objects, wire("preparing", self.preparing), CATALOGUE)
        self.breakers = Breakers(ledger, clock, self.policy, lambda: 0.5, self._tell)
        self.conductor = Conductor(
            jobs=jobs,
            queue=queue,
            objects=objects,
            preparation=preparation,
            routing=Routing(chains, hosts, models, self.breakers),
            asking=Asking(hosts, Commissioning(links), self.breakers, lambda _, why: self.warned.append(why)),
            finishing=Finishing(objects, wire("joining", self.joining), wire("mastering", self.mastering)),
            settling=Settling(jobs, objects, ledger, self.spending, deliveries, hosts),
            spending=self.spending,
            leasing=Leasing(jobs, clock, LEASE, lambda: f"worker-{next(ids)}"),
            clock=clock,
            wait=lambda failures: backoff(failures, lambda: 0.5),
        )
        self.janitor = Janitor(jobs, jobs, queue, wire("dead", self.queue.dead), clock)
        reader, courier = Reader(links, "bucket", timedelta(hours=1)), wire("courier", self.courier)
        self.announcer = Announcer(jobs, deliveries, courier, reader, lambda: b"secret", clock, lambda: 0.0)

    def _submitter(
        self, jobs: Any, queue: Any, ledger: Any, models: dict[str, Model], ids: Iterator[int]
    ) -> Submitter:
        return Submitter(
            jobs,
            queue,
            ledger,
            Choice(models, LICENCES),
            Sourcing(jobs, self.uploads, self.time),
            Admission(jobs, queue, self.spending, self.time),
            self.time,
            lambda: 7,
            lambda: f"job-{next(ids)}",
        )

    def _tell(self, name: str, concerns: Mapping[str, str]) -> None:
        self.told.append((name, concerns))

    def submit(
        self, request: GenerateRequest = REQUEST, key: str | None = "key", use_cache: bool = True
    ) -> tuple[str, ...]:
        """The ids of the jobs of a request."""
        made = self.ask(lambda: self.submitter.submit(request, OWNER, ORIGIN, key, use_cache, _rendered))
        return tuple(job.job_id for job in made.jobs)

    def delete(self, job_id: str) -> None:
        with suppress(RequestError):  # not found: an earlier try that was not answered had its effect
            self.ask(lambda: self.collection.delete(job_id, OWNER))

    def ask(self, act: Callable[[], T]) -> T:
        """What a client does: ask again until it is answered. Raises RequestError."""
        for _ in range(PATIENCE):
            try:
                return act()
            except RequestError as error:
                if error.code != "idempotency_in_progress":
                    raise
            except (Broken, Crash, CadenzaError):
                pass
            self.time.pass_by(1)
        raise AssertionError("the client was never answered")

    def job(self, job_id: str = "job-1") -> Job:
        found = self.jobs.get(job_id)
        assert found is not None, f"{job_id} is gone"
        return found

    def run(self) -> None:
        """Let everything happen that is going to."""
        for _ in range(TURNS):
            if not self.turn():
                return
        raise AssertionError(f"no rest: {self.queue.letters} {self.deliveries.letters} {self.jobs.rows}")

    def turn(self) -> bool:
        """Deliver what is due, or move the clock to what comes next. False when nothing comes any more."""
        if self.deliver(self.queue, self.step) or self.deliver(self.deliveries, self.announcer.deliver):
            return True
        following = self._next()
        if following is None:
            return False
        self.time.now = max(self.time.now, following)
        if following == self.next_round:
            self.tidy()
        return True

    def step(self, message: Message) -> object:
        return self.conductor.step(message.job_id)

    def deliver(self, queue: MemoryQueue, act: Callable[[Message], object]) -> bool:
        """Hand a due message to a function; what fails comes back later, what crashes later still."""
        letter = queue.receive()
        if letter is None:
            return False
        try:
            act(Message.model_validate_json(letter.body))
        except Exception:
            queue.defer(letter, 5 * 2 ** (letter.receives - 1))
        except Crash:
            pass
        else:
            queue.done(letter)
        return True

    def tidy(self) -> None:
        self.next_round = self.time.now + ROUND
        try:
            self.janitor.tidy()
        except (Exception, Crash):
            return  # the next round is a minute away

    @property
    def tidied(self) -> bool:
        """Whether the janitor had to come."""
        return "dead.read" in self.wire.calls

    def announced(self) -> Counter[tuple[str, str]]:
        """How often each webhook id was sent, with the event it told."""
        return Counter(
            (headers["webhook-id"], json.loads(body)["type"]) for _, body, headers in self.courier.posts
        )

    def _next(self) -> datetime | None:
        unsettled = any(job.due_at is not None for job in self.jobs.rows)
        moments = [self.queue.next_at, self.deliveries.next_at, self.next_round if unsettled else None]
        return min((moment for moment in moments if moment is not None), default=None)


def _paid(models: dict[str, Model]) -> dict[str, Model]:
    """The mock costs nothing; the others a cent a second, which is not what their hosts will say."""
    return {
        name: model if name == "mock" else replace(model, tariffs=dict.fromkeys(model.tariffs, Tariff(CENT)))
        for name, model in models.items()
    }


def _rendered(jobs: object) -> str:
    return "answer"


def settled(world: World) -> list[Status]:
    """How the jobs ended, once it is sure that all did, that all was told and nothing left behind."""
    world.laws.hold_at_rest()
    rows = world.jobs.rows
    owed = {(f"msg_{job.job_id}", f"job.{job.status}") for job in rows if job.webhook}
    told = set(world.announced())
    gone = {f"msg_{job_id}" for job_id in world.laws.seen} - {f"msg_{job.job_id}" for job in rows}
    dead = {f"msg_{Message.model_validate_json(body).job_id}" for body in world.deliveries.dead.bodies}
    assert {each for each in owed if "canceled" not in each[1] and each[0] not in dead} == {
        each for each in told if each[0] not in gone | dead
    }
    return [job.status for job in rows]
