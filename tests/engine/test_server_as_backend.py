"""The service's own client of the wire contract against the server itself: both sides of docs/wire.md."""

import time

import pytest
import urllib3

from lambdas.backends.container import ContainerBackend
from lambdas.core.errors import PermanentError
from lambdas.core.pieces import Ticket
from lambdas.core.ports import Failed, Finished, Running, Work
from tests.engine.serving import Service, Store, samples
from tests.fakes.examples import PIECE

PATIENCE = 60.0  # seconds


def work(store: Store, **changes: object) -> Work:
    piece = PIECE.but(**{"duration": 1.0, "top_k": 20, "guidance": 2.0, **changes})
    return Work("job-1-1", 1, piece, f"{store.url}/raw", f"{store.url}/state", f"{store.url}/state")


def end(backend: ContainerBackend, store: Store, ticket: Ticket) -> Finished | Failed:
    until = time.monotonic() + PATIENCE
    while isinstance(state := backend.check(work(store), ticket), Running):
        assert time.monotonic() < until
        time.sleep(0.02)
    return state


def test_a_song_asked_for_by_the_service_lies_at_its_address(service: Service, store: Store) -> None:
    with urllib3.PoolManager() as http:
        backend = ContainerBackend(service.url, http)

        ticket = backend.start(work(store))

        assert end(backend, store, ticket) == Finished(0.0, "r1")
        assert backend.start(work(store)) == ticket
        assert end(backend, store, ticket) == Finished(0.0, "r1")
    assert [samples(data).size > 0 for data in store.files["/raw"]] == [True]


def test_what_the_server_refuses_is_final_for_the_service(service: Service, store: Store) -> None:
    with urllib3.PoolManager() as http, pytest.raises(PermanentError):
        ContainerBackend(service.url, http).start(work(store, duration=1000.0))


def test_the_longest_prompt_with_the_longest_genre_is_taken(service: Service, store: Store) -> None:
    longest = f"{'g' * 50} music: {'p' * 500}"

    with urllib3.PoolManager() as http:
        backend = ContainerBackend(service.url, http)
        assert end(backend, store, backend.start(work(store, effective_prompt=longest))) == Finished(
            0.0, "r1"
        )


def test_a_song_that_the_service_stops_is_over(service: Service, store: Store) -> None:
    with urllib3.PoolManager() as http:
        backend = ContainerBackend(service.url, http)
        ticket = backend.start(work(store, duration=300.0))

        backend.cancel(ticket)

        state = end(backend, store, ticket)
    assert isinstance(state, Failed)
    assert state.code == "canceled"
