"""Reading progress over a presigned link, from a store over real HTTP."""

import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lambdas.backends.progress import LARGEST, Seen, look
from lambdas.core.errors import TransientError


@dataclass
class Store:
    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    asked: int = 0


@pytest.fixture
def store() -> Iterator[Store]:
    told = Store()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked += 1
            self.send_response_only(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(told.body)))
            self.end_headers()
            self.wfile.write(told.body)

        def log_message(self, format: str, *arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_port}/raw/job-1/1.json?signature=x"
    yield told
    server.shutdown()
    server.server_close()
    thread.join()


def test_what_lies_there_is_seen_with_its_age_by_the_stores_own_clock(store: Store) -> None:
    store.headers = {
        "Date": "Sat, 21 Nov 2026 12:00:30 GMT",
        "Last-Modified": "Sat, 21 Nov 2026 11:59:00 GMT",
    }

    assert look(store.url) == Seen(b"{}", 90.0)


@pytest.mark.parametrize("said", ["", "yesterday", "21 Nov"])
def test_what_is_of_an_unknown_age_counts_as_new(store: Store, said: str) -> None:
    store.headers = {"Date": "Sat, 21 Nov 2026 12:00:30 GMT", "Last-Modified": said}

    assert look(store.url) == Seen(b"{}", 0.0)


def test_nothing_is_there_before_the_first_word(store: Store) -> None:
    store.status, store.body = 404, b"<Error><Code>NoSuchKey</Code></Error>"

    assert look(store.url) is None


@pytest.mark.parametrize("status", [301, 403, 500, 503])
def test_a_link_that_is_refused_is_worth_another_try(store: Store, status: int) -> None:
    store.status = status
    store.headers = {"Location": store.url, "Retry-After": "600"}

    with pytest.raises(TransientError):
        look(store.url)
    assert store.asked == 1


def test_an_endless_word_is_none(store: Store) -> None:
    store.body = b"x" * (LARGEST + 1)

    with pytest.raises(TransientError):
        look(store.url)


def test_a_store_that_is_not_there_is_worth_another_try() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(TransientError):
        look(f"http://127.0.0.1:{port}/raw")
