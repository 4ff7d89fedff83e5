"""A queue in memory that behaves as badly as it may: late, twice, out of order; and its dead letters."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from random import Random

from lambdas.core.ports import Clock, Message

VISIBILITY = 720.0  # seconds a received message stays out of sight
RECEIVES = 5  # after which a message is a dead letter
LONGEST_DELAY = 900  # seconds
LATENESS = 20  # seconds that a message takes at most where the order is arbitrary


@dataclass
class Letter:
    """One message as the queue holds it."""

    body: str
    visible_at: datetime
    receives: int = 0


@dataclass
class MemoryDeadLetters:
    """Implements ports.DeadLetters."""

    bodies: list[str] = field(default_factory=list)

    def read(self) -> Sequence[str]:
        return list(self.bodies)


class MemoryQueue:
    """Implements ports.Queue; `receive`, `done` and `defer` are what delivers its messages to a function.

    `copies` says how often each message is delivered; a `random` makes the order arbitrary.
    """

    def __init__(self, clock: Clock, copies: int = 1, random: Random | None = None) -> None:
        self._clock = clock
        self._copies = copies
        self._random = random
        self.letters: list[Letter] = []
        self.dead = MemoryDeadLetters()

    def send(self, message: Message, delay: float = 0) -> None:
        self.post(message.encode(), delay)

    def send_all(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self.post(message.encode())

    def post(self, body: str, delay: float = 0) -> None:
        """Anything at all, as somebody with access to the queue may send it."""
        for _ in range(self._copies):
            late = self._random.uniform(0, LATENESS) if self._random else 0
            seconds = min(LONGEST_DELAY, max(0, ceil(delay))) + late
            self.letters.append(Letter(body, self._clock() + timedelta(seconds=seconds)))

    @property
    def next_at(self) -> datetime | None:
        return min((letter.visible_at for letter in self.letters), default=None)

    def receive(self) -> Letter | None:
        """A message that is due; one that was received too often goes to the dead letters instead."""
        while due := [letter for letter in self.letters if letter.visible_at <= self._clock()]:
            letter = self._random.choice(due) if self._random else min(due, key=lambda it: it.visible_at)
            if letter.receives < RECEIVES:
                letter.receives += 1
                self.defer(letter, VISIBILITY)
                return letter
            self.done(letter)
            self.dead.bodies.append(letter.body)
        return None

    def done(self, letter: Letter) -> None:
        self.letters = [other for other in self.letters if other is not letter]

    def defer(self, letter: Letter, seconds: float) -> None:
        letter.visible_at = self._clock() + timedelta(seconds=seconds)
