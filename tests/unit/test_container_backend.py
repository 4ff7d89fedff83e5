"""The plain-HTTP container backend against a server that keeps the wire contract, and ones that break it."""

import json
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest
import urllib3

from lambdas.backends import container as module
from lambdas.backends.container import LARGEST, ContainerBackend
from lambdas.core.errors import BackendError, Busy, HostRefusal, PermanentError, TransientError, Waking
from lambdas.core.pieces import Role, Ticket
from lambdas.core.ports import Failed, Finished, Input, Running, Work
from tests.fakes.container import Container
from tests.fakes.examples import PIECE
from tests.fakes.loopback import Answer

WORK = Work("job-1-1", 1, PIECE.but(top_k=50, guidance=4.5), "http://bucket.example/raw?signature=x", "", "")
TICKET = Ticket(id="job-1-1")
STATE = {"id": "job-1-1", "status": "running", "progress": 0.5, "message": "Playing"}


@pytest.fixture
def container() -> Iterator[Container]:
    with Container() as running:
        yield running


@pytest.fixture
def backend(container: Container) -> Iterator[ContainerBackend]:
    with urllib3.PoolManager() as http:
        yield ContainerBackend(container.url, http)


def said(**changes: object) -> Answer:
    return Answer(body=json.dumps({**STATE, **changes}).encode())


def error(status: int, code: str, *, transient: bool) -> Answer:
    told = {"error": {"code": code, "detail": "d" * 1000, "transient": transient}}
    return Answer(status, json.dumps(told).encode())


def test_all_that_was_asked_is_told_and_nothing_else(container: Container, backend: ContainerBackend) -> None:
    backend.start(WORK)

    assert container.songs["job-1-1"].asked == {
        "id": "job-1-1",
        "prompt": PIECE.effective_prompt,
        "duration": PIECE.duration,
        "seed": PIECE.seed,
        "top_k": 50,
        "guidance": 4.5,
        "output_url": "http://bucket.example/raw?signature=x",
    }
    assert container.preferred == ["respond-async"]


@pytest.mark.parametrize(
    ("roles", "told"),
    [
        (("track", "track"), {"tracks": [{"url": "http://b/0"}, {"url": "http://b/1"}]}),
        (("melody",), {"audio": {"url": "http://b/0", "role": "melody"}}),
        (("continue",), {"audio": {"url": "http://b/0", "role": "continue"}}),
    ],
)
def test_recordings_are_told_by_their_roles(
    container: Container, backend: ContainerBackend, roles: tuple[Role, ...], told: dict[str, object]
) -> None:
    inputs = tuple(Input(role, f"http://b/{index}", 9.0) for index, role in enumerate(roles))

    backend.start(replace(WORK, inputs=inputs))

    heard = container.songs["job-1-1"].asked
    assert {name: heard[name] for name in ("tracks", "audio") if name in heard} == told


def test_what_made_it_and_how_it_compares_is_passed_on(
    container: Container, backend: ContainerBackend
) -> None:
    container.answers = [said(status="finished", revision="9f2c", report={"distance_db": -12.5})]

    assert backend.check(WORK, TICKET) == Finished(0.0, "9f2c", {"distance_db": -12.5})


def test_the_same_work_twice_is_one_song(container: Container, backend: ContainerBackend) -> None:
    assert backend.start(WORK) == backend.start(WORK)

    assert list(container.songs) == ["job-1-1"]


def test_a_start_whose_answer_was_lost_is_asked_again(
    container: Container, backend: ContainerBackend
) -> None:
    container.answers = [Answer(hang_up=True)]

    ticket = backend.start(WORK)

    assert ticket.id == "job-1-1"
    assert container.seen["POST"] == 2


def test_a_song_is_followed_from_the_queue_to_its_end(backend: ContainerBackend) -> None:
    ticket = backend.start(WORK)

    states = [backend.check(WORK, ticket) for _ in range(3)]

    assert states == [
        Running(0.0, "Waiting (2 in the queue)", 2.0),
        Running(0.5, "Playing", 2.0),
        Finished(0.0),
    ]


def test_a_stopped_song_has_failed_for_now(backend: ContainerBackend) -> None:
    ticket = backend.start(WORK)

    backend.cancel(ticket)

    state = backend.check(WORK, ticket)
    assert isinstance(state, Failed)
    assert (state.code, state.transient) == ("canceled", True)


@pytest.mark.parametrize("transient", [True, False])
def test_why_a_song_failed_is_passed_on_at_bearable_length(
    container: Container, backend: ContainerBackend, transient: bool
) -> None:
    why = {"code": "deadline", "detail": "d" * 1000, "transient": transient}
    container.answers = [said(status="failed", error=why)]

    assert backend.check(WORK, TICKET) == Failed("deadline", "d" * 300, transient, cost_usd=0.0)


def test_a_failure_without_a_reason_is_worth_another_try(
    container: Container, backend: ContainerBackend
) -> None:
    container.answers = [said(status="failed")]

    assert backend.check(WORK, TICKET) == Failed(
        "failed", "It did not say why.", transient=True, cost_usd=0.0
    )


def test_work_that_a_restarted_container_forgot_is_worth_another_try(backend: ContainerBackend) -> None:
    state = backend.check(WORK, TICKET)

    assert isinstance(state, Failed)
    assert state.transient


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_busy_or_broken_server_is_worth_another_try(
    container: Container, backend: ContainerBackend, status: int
) -> None:
    container.answers = [Answer(status, b"<html>busy</html>")] * 3

    for act in (
        lambda: backend.start(WORK),
        lambda: backend.check(WORK, TICKET),
        lambda: backend.cancel(TICKET),
    ):
        with pytest.raises(TransientError) as caught:
            act()
        assert caught.value.code == f"http_{status}"


@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 413, 422])
def test_a_refusal_in_other_words_than_a_containers_is_for_another_host(
    container: Container, backend: ContainerBackend, status: int
) -> None:
    container.answers = [Answer(status, headers={"Location": container.url + "/ping"})] * 2

    with pytest.raises(HostRefusal):
        backend.start(WORK)
    with pytest.raises(HostRefusal):
        backend.check(WORK, TICKET)
    assert container.seen.total() == 2


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error(503, "busy", transient=True), Busy),
        (error(503, "loading", transient=True), Waking),
        (error(503, "stopping", transient=True), TransientError),
        (error(503, "unusable", transient=False), HostRefusal),
        (error(500, "failed", transient=False), PermanentError),
        (error(422, "invalid", transient=False), PermanentError),
    ],
)
def test_what_the_container_says_of_another_try_counts(
    container: Container, backend: ContainerBackend, answer: Answer, kind: type[BackendError]
) -> None:
    container.answers = [answer]

    with pytest.raises(kind) as caught:
        backend.start(WORK)

    assert type(caught.value) is kind
    assert len(caught.value.detail) == 300


@pytest.mark.parametrize(
    ("header", "wait"), [("7", 7.0), ("999999", 300.0), ("soon", 0.0), ("-1", 0.0), ("²", 0.0)]
)
def test_a_container_says_when_to_come_again(
    container: Container, backend: ContainerBackend, header: str, wait: float
) -> None:
    container.answers = [Answer(503, headers={"Retry-After": header})]

    with pytest.raises(TransientError) as caught:
        backend.start(WORK)

    assert caught.value.retry_after == wait


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=b""),
        Answer(body=b"{"),
        Answer(body=b"[]"),
        Answer(body=b"\xff\xfe"),
        said(status="dancing"),
        said(progress=2),
        said(progress="NaN"),
        said(id="job-2-1"),
        Answer(body=b"x" * (LARGEST + 1)),
        Answer(body=b"short", headers={"Content-Length": "50"}),
        Answer(body=b"no such chunk", headers={"Transfer-Encoding": "chunked"}),
    ],
    ids=lambda answer: repr(answer.body[:40]),
)
def test_an_answer_without_sense_is_worth_another_try(
    container: Container, backend: ContainerBackend, answer: Answer
) -> None:
    container.answers = [answer] * 4

    with pytest.raises(TransientError):
        backend.check(WORK, TICKET)
    with pytest.raises(TransientError):
        backend.start(WORK)


def test_an_endless_answer_is_hung_up_on(container: Container, backend: ContainerBackend) -> None:
    container.answers = [Answer(body=b" " * 1000, drip=1000)]

    with pytest.raises(TransientError) as caught:
        backend.check(WORK, TICKET)

    assert caught.value.code == "bad_answer"


def test_an_answer_that_drips_is_hung_up_on(container: Container) -> None:
    container.answers = [said()]

    with urllib3.PoolManager() as http, pytest.raises(TransientError):
        ContainerBackend(container.url, http, patience=-1).check(WORK, TICKET)


def test_another_version_of_the_contract_is_refused(container: Container, backend: ContainerBackend) -> None:
    container.answers = [Answer(body=said().body, headers={"Cadenza-Wire": "2"})]

    with pytest.raises(HostRefusal) as caught:
        backend.check(WORK, TICKET)

    assert caught.value.code == "wrong_wire"


def test_a_container_that_is_not_there_is_worth_another_try() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with urllib3.PoolManager() as http:
        backend = ContainerBackend(f"http://127.0.0.1:{port}", http)
        with pytest.raises(TransientError):
            backend.start(WORK)
        with pytest.raises(TransientError):
            backend.cancel(TICKET)


def test_a_container_that_keeps_silent_is_worth_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT", urllib3.Timeout(0.05))

    with socket.create_server(("127.0.0.1", 0)) as mute, urllib3.PoolManager() as http:
        backend = ContainerBackend(f"http://127.0.0.1:{mute.getsockname()[1]}", http)
        with pytest.raises(TransientError):
            backend.check(WORK, TICKET)


def test_an_id_cannot_leave_its_place_in_the_address(container: Container, backend: ContainerBackend) -> None:
    state = backend.check(WORK, Ticket(id="../ping?x=1#y"))

    assert isinstance(state, Failed)
