"""MusicGen on Replicate when something is wrong: refusals, half answers and lost ones."""

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import urllib3

from lambdas.backends import replicate_api
from lambdas.backends.replicate import ReplicateBackend
from lambdas.core.errors import BackendError, HostRefusal, Lost, PermanentError, TransientError
from lambdas.core.pieces import Ticket
from lambdas.core.ports import Running, Work
from tests.fakes.examples import NOW, PIECE
from tests.fakes.loopback import Answer
from tests.fakes.replicate import TOKEN, Replicate, connect, problem
from tests.fakes.stores import Time

WORK = Work("job-1-1", 1, PIECE.but(model="musicgen-large"), "https://bucket.example/raw", "", "")
TICKET = Ticket(id="0" * 26)


@pytest.fixture
def time() -> Time:
    return Time(NOW)


@pytest.fixture
def replicate(time: Time) -> Iterator[Replicate]:
    with Replicate(time) as running:
        yield running


@pytest.fixture
def backend(replicate: Replicate) -> Iterator[ReplicateBackend]:
    with urllib3.PoolManager() as http:
        yield connect(replicate, http)


def acts(backend: ReplicateBackend) -> tuple[Callable[[], object], ...]:
    return (
        lambda: backend.start(WORK),
        lambda: backend.check(WORK, TICKET),
        lambda: backend.cancel(TICKET),
    )


def raised(act: Callable[[], object]) -> BackendError:
    with pytest.raises(BackendError) as caught:
        act()
    assert TOKEN not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_busy_or_broken_service_is_worth_another_try(
    replicate: Replicate, backend: ReplicateBackend, status: int
) -> None:
    for act in acts(backend):
        replicate.answers = [Answer(status, b"<html>busy</html>")]
        error = raised(act)
        assert isinstance(error, TransientError)
        assert error.code == f"http_{status}"


@pytest.mark.parametrize(
    ("answer", "wait"),
    [
        (Answer(429, b"", {"Retry-After": "7"}), 7.0),
        (Answer(503, b"", {"Retry-After": "999999"}), 300.0),
        (Answer(503, b"", {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), 0.0),
        (problem(429, "", "Request was throttled. Your rate limit resets in ~5s.", retry_after=5), 5.0),
        (problem(429, "", "Request was throttled.", retry_after=-5), 0.0),
        (problem(429, "", "Request was throttled.", retry_after="soon"), 0.0),
    ],
)
def test_it_says_when_to_come_again_in_a_header_or_in_the_body(
    replicate: Replicate, backend: ReplicateBackend, answer: Answer, wait: float
) -> None:
    replicate.answers = [answer]

    error = raised(lambda: backend.start(WORK))

    assert isinstance(error, TransientError)
    assert error.retry_after == wait


@pytest.mark.parametrize("status", [401, 402, 403])
def test_an_unpaid_or_unknown_account_is_the_operators_matter_and_the_job_goes_elsewhere(
    replicate: Replicate, backend: ReplicateBackend, status: int
) -> None:
    for act in acts(backend):
        replicate.answers = [problem(status, "No", f"the token {TOKEN} is not good enough")]
        error = raised(act)
        assert isinstance(error, HostRefusal)
        assert "Replicate" in error.detail


def test_a_wrong_token_is_the_operators_matter(backend: ReplicateBackend) -> None:
    error = raised(lambda: replace(backend, token=lambda: "r8_another").start(WORK))

    assert (type(error), error.code) == (HostRefusal, "host_unauthorized")


@pytest.mark.parametrize("token", ["", "\n", "r8\nx: y", "r8\x00", "ü"])
def test_without_a_token_nothing_is_sent(replicate: Replicate, backend: ReplicateBackend, token: str) -> None:
    error = raised(lambda: replace(backend, token=lambda: token).start(WORK))

    assert (type(error), error.code) == (HostRefusal, "host_unauthorized")
    assert replicate.seen.total() == 0


def test_a_version_that_is_not_there_is_the_operators_matter(backend: ReplicateBackend) -> None:
    error = raised(lambda: replace(backend, version="0" * 64).start(WORK))

    assert (type(error), error.code) == (HostRefusal, "version_unknown")


def test_an_input_that_is_turned_down_is_final(replicate: Replicate, backend: ReplicateBackend) -> None:
    replicate.answers = [problem(422, "Input validation failed", "- input.duration: Must be less than 30")]

    error = raised(lambda: backend.start(WORK))

    assert isinstance(error, PermanentError)
    assert "input.duration" in error.detail


@pytest.mark.parametrize("status", [301, 307, 308, 418])
def test_an_answer_from_somebody_else_is_not_followed(
    replicate: Replicate, backend: ReplicateBackend, status: int
) -> None:
    replicate.answers = [Answer(status, b"", {"Location": replicate.url + "/v1/predictions"})]

    assert isinstance(raised(lambda: backend.start(WORK)), HostRefusal)
    assert replicate.seen.total() == 1


def test_an_answer_that_drips_is_hung_up_on(replicate: Replicate) -> None:
    replicate.answers = [Answer(200, b" " * 100, drip=3)]

    with urllib3.PoolManager() as http:
        api = replicate_api.ReplicateApi(f"{replicate.url}/v1", lambda: TOKEN, http, patience=-1)
        error = raised(lambda: api.ask("GET", "/predictions/1"))

    assert (type(error), error.code) == (Lost, "bad_answer")


@pytest.mark.parametrize(
    "answer",
    [
        Answer(201, b""),
        Answer(201, b"{"),
        Answer(201, b"[]"),
        Answer(201, b"\xff\xfe"),
        Answer(201, b'{"id": "x"}'),
        Answer(201, b'{"id": "x", "status": "dancing"}'),
        Answer(201, b'{"id": "x", "status": "succeeded", "metrics": {"predict_time": -1}}'),
        Answer(201, b'{"id": "x", "status": "succeeded", "metrics": {"predict_time": NaN}}'),
        Answer(201, b" " * (replicate_api.LARGEST + 1)),
        Answer(201, b"short", {"Content-Length": "50"}),
        Answer(201, b"no such chunk", {"Transfer-Encoding": "chunked"}),
    ],
    ids=lambda answer: repr(answer.body[:60]),
)
def test_an_answer_without_sense_is_worth_another_try(
    replicate: Replicate, backend: ReplicateBackend, answer: Answer
) -> None:
    replicate.answers = [answer]
    assert isinstance(raised(lambda: backend.start(WORK)), TransientError)

    replicate.answers = [replace(answer, status=200)] * 2
    assert isinstance(raised(lambda: backend.check(WORK, TICKET)), TransientError)


def test_a_start_whose_answer_was_lost_is_not_sent_again(
    replicate: Replicate, backend: ReplicateBackend
) -> None:
    replicate.answers = [Answer(hang_up=True)]

    assert isinstance(raised(lambda: backend.start(WORK)), Lost)
    assert replicate.seen["POST predictions"] == 1


def test_a_start_that_was_heard_but_answered_too_late_is_not_sent_again(
    replicate: Replicate, backend: ReplicateBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard, given_up = threading.Event(), threading.Event()

    def hold() -> None:
        heard.set()
        given_up.wait(10)

    replicate.before_sending = hold
    monkeypatch.setattr(replicate_api, "TIMEOUT", urllib3.Timeout(connect=5, read=0.2))

    error = raised(lambda: backend.start(WORK))

    assert isinstance(error, Lost)
    assert heard.wait(10)
    assert len(replicate.predictions) == 1
    given_up.set()


def test_no_exchange_is_left_to_a_connection_that_may_be_dead(
    replicate: Replicate, backend: ReplicateBackend
) -> None:
    ticket = backend.start(WORK)
    backend.check(WORK, ticket)
    backend.cancel(ticket)

    assert [headers["connection"] for headers in replicate.headers] == ["close"] * 3


def test_a_check_and_a_cancel_whose_answers_were_lost_are_sent_again(
    replicate: Replicate, backend: ReplicateBackend
) -> None:
    ticket = backend.start(WORK)

    replicate.answers = [Answer(hang_up=True)]
    assert isinstance(backend.check(WORK, ticket), Running)
    replicate.answers = [Answer(hang_up=True)]
    backend.cancel(ticket)

    assert replicate.seen == {"POST predictions": 3, "GET predictions": 2}
    assert replicate.predictions[ticket.id].canceled is not None


def test_a_service_that_is_not_there_is_worth_another_try(backend: ReplicateBackend) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    for act in acts(replace(backend, base_url=f"http://127.0.0.1:{port}/v1")):
        assert type(raised(act)) is TransientError


def test_a_service_that_keeps_silent_is_worth_another_try(
    backend: ReplicateBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replicate_api, "TIMEOUT", urllib3.Timeout(0.05))

    with socket.create_server(("127.0.0.1", 0)) as mute:
        silent = replace(backend, base_url=f"http://127.0.0.1:{mute.getsockname()[1]}/v1")
        assert isinstance(raised(lambda: silent.start(WORK)), TransientError)
