"""What may happen to a job, as stories with a known end: the ground on which faults are sown."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from lambdas.core.errors import TransientError
from lambdas.core.jobs import Status
from lambdas.core.ports import Failed, Finished, Running
from tests.fakes.world import REQUEST, World, settled

NOT_NOW = TransientError("throttled", "Too many requests.")
SEEDED = REQUEST.model_copy(update={"seed": 42})
DONE, FAILED = Status.COMPLETED, Status.FAILED


@dataclass(frozen=True)
class Story:
    """What is done to a world, and how its jobs end."""

    ends: list[Status]
    chain: tuple[str, ...] = ("first",)
    prepare: Callable[[World], object] = lambda _: None
    drive: Callable[[World], object] = World.submit

    def world(self, copies: int = 1, random: Random | None = None) -> World:
        world = World(*self.chain, copies=copies, random=random)
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


def _slow(world: World) -> None:
    world.hosts["first"].check_after = 3
    world.hosts["first"].answers = (Running(0.2), Running(0.1), Running(0.7, check_after=30), Finished())


def _out_of_order(world: World) -> None:
    world.hosts["first"].refusals = (NOT_NOW,) * 3


def _unreachable(world: World) -> None:
    cold = Failed("cold", "Starting up.", transient=True)
    world.hosts["first"].answers = (NOT_NOW, NOT_NOW, cold, Finished())


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


def _varied(world: World) -> None:
    world.submit(REQUEST.model_copy(update={"variations": 2}))


STORIES: Mapping[str, Story] = {
    "plain": Story([DONE]),
    "slow": Story([DONE], prepare=_slow),
    "one host out of order": Story([DONE], ("first", "second"), _out_of_order),
    "a host that is hard to reach": Story([DONE], prepare=_unreachable),
    "refused": Story([FAILED], prepare=_refusing),
    "cached": Story([DONE, DONE], drive=_cached),
    "cached and gone": Story([DONE], drive=_cached_and_gone),
    "variations": Story([DONE, DONE], drive=_varied),
}
