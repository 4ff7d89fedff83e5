"""Replicate on a clock, the backend that asks it, and what that stores: for tests of the backend."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import urllib3

from lambdas.backends.replicate import ReplicateBackend
from lambdas.core.ports import Failed, Finished, Running, Work
from tests.fakes.examples import NOW, PIECE
from tests.fakes.predictions import Prediction
from tests.fakes.replicate import Replicate, connect
from tests.fakes.stores import Time

LINK = "https://bucket.example/input-0.wav?signature=x"
SONG = PIECE.but(model="musicgen-stereo-large", duration=10.0)
WORK = Work("job-1-2", 2, SONG, "https://bucket.example/raw?signature=x", "", "")


@dataclass
class Site:
    replicate: Replicate
    time: Time
    backend: ReplicateBackend
    stored: dict[str, bytes]

    @property
    def latest(self) -> Prediction:
        return list(self.replicate.predictions.values())[-1]

    @property
    def asked(self) -> dict[str, object]:
        """The inputs of the latest."""
        inputs: dict[str, object] = self.latest.asked["input"]
        return inputs

    def ended(self, work: Work = WORK, after: float = 120) -> Running | Finished | Failed:
        """What becomes of a work, so many seconds after it was asked for."""
        ticket = self.backend.start(work)
        self.time.pass_by(after)
        return self.backend.check(work, ticket)


@contextmanager
def a_site() -> Iterator[Site]:
    time = Time(NOW)
    stored: dict[str, bytes] = {}
    with Replicate(time) as replicate, urllib3.PoolManager() as http:
        yield Site(replicate, time, connect(replicate, http, stored.__setitem__), stored)
