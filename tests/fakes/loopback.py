"""What fakes of hosts speak through: real HTTP on a free port, and whatever a test has them say."""

import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import urllib3


@dataclass(frozen=True)
class Answer:
    """What a server says, in or out of its contract."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    hang_up: bool = False  # before a word is said
    drip: int = 0  # times that the body is sent, on its own, one after the other


class Loopback(ABC):
    """Serves while the `with` block lasts."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @abstractmethod
    def answer(self, method: str, target: str, headers: Message, body: bytes) -> Answer: ...

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def live_with(self, client: object, http: urllib3.PoolManager) -> None:
        """Serve from now on until `client` is gone, which asks over `http`."""
        weakref.finalize(client, _close, self.__enter__(), http)


def _close(server: Loopback, http: urllib3.PoolManager) -> None:
    http.clear()
    server.__exit__()


def _handler(server: Loopback) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        disable_nagle_algorithm = True  # else a body waits 40 ms for the other side to confirm its headers

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            answer = server.answer(self.command, self.path, self.headers, body)
            if answer.hang_up:
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            with suppress(ConnectionError):  # the other side hung up, as it may
                self.end_headers()
                for _ in range(answer.drip or 1):
                    self.wfile.write(answer.body)
                    self.wfile.flush()

        do_POST = do_DELETE = do_GET  # noqa: N815

        def log_message(self, format: str, *arguments: object) -> None:
            """Fakes keep what they were asked."""

    return Handler
