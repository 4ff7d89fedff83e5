"""An ACE-Step server on a clock, the backend that asks it, and what that stores: for tests of the backend."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import urllib3

from lambdas.backends.acestep import AceStepBackend
from lambdas.core.pieces import Ticket
from lambdas.core.ports import Failed, Finished, Running, Work
from tests.fakes.acestep import AceStep
from tests.fakes.examples import PIECE
from tests.fakes.loopback import Answer
from tests.fakes.stores import Time

WORK = Work("job-1-1", 1, PIECE.but(lyrics="la la"), "http://bucket.example/raw?signature=x", "", "")
TASK = "550e8400-e29b-41d4-a716-000000000000"  # the first that a server is told of
TICKET = Ticket(id=json.dumps({"task": TASK, "place": 1}))
KEYS = {"api_key": "sk-secret", "modal_key": "wk-1", "modal_secret": "ws-1"}
HEADERS = {"modal-key": "wk-1", "modal-secret": "ws-1"}


@dataclass(frozen=True)
class Site:
    server: AceStep
    backend: AceStepBackend
    time: Time
    stored: dict[str, bytes]

    def finished(self) -> Running | Finished | Failed:
        """What becomes of a song, a minute after it was asked for."""
        ticket = self.backend.start(WORK)
        self.time.pass_by(60)
        return self.backend.check(WORK, ticket)

    def says(self, answer: Answer, path: str = "/query_result") -> None:
        """What this address answers next, instead of what the contract would have it answer."""
        self.server.answers[path] = [answer]


@contextmanager
def a_site() -> Iterator[Site]:
    time = Time()
    stored: dict[str, bytes] = {}
    with AceStep(time, KEYS["api_key"], HEADERS) as server, urllib3.PoolManager() as http:
        backend = AceStepBackend(
            server.url,
            http,
            stored.__setitem__,
            time,
            lambda: json.dumps(KEYS),
            usd_per_second=0.01,
            expected_s=0.5,
        )
        yield Site(server, backend, time, stored)
