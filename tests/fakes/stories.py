"""What may happen to a job, as stories with a known end: the ground on which faults are sown.

Each bears two faults more. So a story whose host fails by itself has another one, as three strikes are the
end of a host, and a ceiling has room for two attempts that are lost and paid.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from random import Random

from lambdas.core.breaking import Breakers, Policy
from lambdas.core.errors import Busy, HostRefusal, RequestError, StoreFault, TransientError, Waking
from lambdas.core.jobs import Status
from lambdas.core.ports import Failed, Finished, Running
from lambdas.core.requests import SourceRequest, UploadRequest
from lambdas.core.spending import Ceilings
from lambdas.core.uploading import Uploads
from tests.fakes.world import CENT, OWNER, REQUEST, World, settled

NOT_NOW = TransientError("throttled", "Too many requests.")
COLD = Failed("cold", "Starting up.", transient=True, cost_usd=0.0)
FULL = Failed("full", "No machine is free.", transient=True, elsewhere=True, cost_usd=0.0)
SEEDED = REQUEST.model_copy(update={"seed": 42})
PAID = SEEDED.model_copy(update={"model": "musicgen-small"})
LONG = REQUEST.model_copy(update={"model": "musicgen-small", "duration": 45.0})
TOUCHY = Policy(failures=1, rest=10)
ESTIMATE = LONG.duration * CENT
DONE, FAILED = Status.COMPLETED, Status.FAILED


@dataclass(frozen=True)
class Story:
    """What is done to a world, and how its jobs end."""

    ends: list[Status]
    chain: tuple[str, ...] = ("first",)
    policy: Policy | None = None
    ceilings: Ceilings | None = None
    prepare: Callable[[World], object] = lambda _: None
    drive: Callable[[World], object] = World.submit

    def world(self, copies: int = 1, random: Random | None = None) -> World:
        world = World(*self.chain, copies=copies, random=random, policy=self.policy, ceilings=self.ceilings)
        self.prepare(world)
        return world

    def play(self, world: World) -> list[Status]:
        self.drive(world)
        world.run()
        return settled(world)

    @property
    def length(self) -> int:
        """Calls of ports when all goes well."""
        world = self.world()
        self.play(world)
        return len(world.wire.calls)


def spent(world: World) -> tuple[float, float]:
    """Dollars of the day, of the stage and of its one caller."""
    day = world.time.now
    return world.spending.spent(day), world.spending.spent(day, OWNER.id)


def _slow(world: World) -> None:
    world.hosts["first"].check_after = 3
    world.hosts["first"].answers = (Running(0.2), Running(0.1), Running(0.7, check_after=30), Finished())


def _out_of_order(world: World) -> None:
    world.hosts["first"].refusals = (NOT_NOW,) * 3


def _unreachable(world: World) -> None:
    world.hosts["first"].answers = (NOT_NOW, NOT_NOW, Finished())


def _failing_once(world: World) -> None:
    world.hosts["first"].answers = (NOT_NOW, COLD, Finished())


def _refusing(world: World) -> None:
    world.hosts["first"].answers = (Failed("refused", "Not this prompt.", transient=False),)


def _cached(world: World) -> None:
    world.submit(SEEDED)
    world.run()
    world.submit(SEEDED, key="again")


def _cached_and_gone(world: World) -> None:
    (source,) = world.submit(SEEDED)
    world.run()
    world.submit(SEEDED, key="again")
    world.delete(source)


def _paid_for_and_gone(world: World) -> None:
    (source,) = world.submit(PAID)
    world.run()
    with suppress(RequestError):
        world.submit(PAID, key="again")
    world.delete(source)


def _varied(world: World) -> None:
    world.submit(REQUEST.model_copy(update={"variations": 2}))


def _blended(world: World) -> None:
    ids = count(1)
    uploads = Uploads(world.objects, world.ledger, world.time, lambda: f"upload-{next(ids)}")
    song = UploadRequest(filename="song.wav", content_type="audio/wav", bytes=10)
    offers = [uploads.offer(song, OWNER) for _ in range(2)]
    assert all(world.objects.post(offer.form, b"a song") for offer in offers)
    tracks = tuple(SourceRequest(upload_id=offer.upload.upload_id) for offer in offers)
    world.submit(REQUEST.model_copy(update={"model": "cascade", "tracks": tracks}))


def _half_a_minute_at_once(world: World) -> None:
    world.hosts["first"].longest = 30.0


def _halfway_to_another(world: World) -> None:
    world.hosts["first"].longest = 30.0
    world.hosts["first"].answers = (Finished(cost_usd=0.5), FULL)


def _long(world: World) -> None:
    world.submit(LONG)


def _one_too_many(world: World) -> None:
    world.submit(LONG, key="one")
    with suppress(RequestError):
        world.submit(LONG, key="two")


def _out_for_a_while(world: World) -> None:
    world.hosts["first"].refusals = (NOT_NOW,)


def _left_alone(world: World) -> None:
    others = Breakers(world.ledger, world.time, world.policy, lambda: 0.5)
    others.failed("first", "unreachable", "another job's")


def _full_and_nobody_else(world: World) -> None:
    world.hosts["first"].refusals = (
        Busy("busy", "Full."),
        Waking("waking", "Not yet."),
        Busy("busy", "Full."),
    )
    world.hosts["second"].refusals = (HostRefusal("http_401", "There is no token."),) * 9


def _bucket_out_of_order(world: World) -> None:
    world.hosts["first"].refusals = (StoreFault("input_unreachable", "The recording could not be read."),)
    world.hosts["first"].answers = (StoreFault("upload_refused", "The store refused the audio."), Finished())


def _full_after_its_rest(world: World) -> None:
    _left_alone(world)  # by another job: three strikes end a job, and two faults may be two of them
    world.hosts["first"].refusals = (Busy("busy", "Full.", 20),)


def _unpaid(world: World) -> None:
    world.hosts["first"].refusals = (HostRefusal("http_402", "The account is not paid."),) * 9


STORIES: Mapping[str, Story] = {
    "plain": Story([DONE]),
    "slow": Story([DONE], prepare=_slow),
    "one host out of order": Story([DONE], ("first", "second"), prepare=_out_of_order),
    "a host that is hard to reach": Story([DONE], prepare=_unreachable),
    "a host that fails once": Story([DONE], ("first", "second"), prepare=_failing_once),
    "refused": Story([FAILED], prepare=_refusing),
    "cached": Story([DONE, DONE], drive=_cached),
    "cached and gone": Story([DONE], drive=_cached_and_gone),
    "gone, and paid again": Story([DONE], ceilings=Ceilings(stage=1.5), drive=_paid_for_and_gone),
    "gone, and beyond the budget": Story([FAILED], ceilings=Ceilings(stage=0.5), drive=_paid_for_and_gone),
    "variations": Story([DONE, DONE], drive=_varied),
    "two tracks": Story([DONE], drive=_blended),
    "two segments": Story([DONE], prepare=_half_a_minute_at_once, drive=_long),
    "a segment on another host": Story([DONE], ("first", "second"), prepare=_halfway_to_another, drive=_long),
    "within the budget, and beyond": Story([DONE], ceilings=Ceilings(stage=0.5), drive=_one_too_many),
    "a host left alone": Story([DONE], ("first", "second"), TOUCHY, prepare=_out_for_a_while),
    "every host left alone": Story([DONE], ("first",), TOUCHY, prepare=_left_alone),
    "full, and nobody else": Story([DONE], ("first", "second"), prepare=_full_and_nobody_else),
    "a bucket out of order": Story([DONE], ("first", "second"), TOUCHY, prepare=_bucket_out_of_order),
    "full after its rest": Story([DONE], policy=TOUCHY, prepare=_full_after_its_rest),
    "unpaid": Story([DONE], ("first", "second"), TOUCHY, prepare=_unpaid),
}
