"""Raw audio on its way to a presigned address."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from lambdas.backends import upload
from lambdas.core.errors import StoreFault


class Busy(BaseHTTPRequestHandler):
    """A store that wants to be left alone for an hour."""

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(503)
        self.send_header("Retry-After", "3600")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def busy() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Busy) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/raw/job-1/1"
        server.shutdown()


def test_a_store_that_is_busy_puts_nobody_to_sleep(busy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", slept.append)

    with pytest.raises(StoreFault, match="503"):
        upload.put(busy, b"RIFF")

    assert sum(slept) == 0
