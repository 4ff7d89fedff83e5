"""A model container that answers as each test bids it, and remembers what it was asked."""

import contextlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class FakeContainer:
    """A request's body says what comes back: {"status", "say", "bytes"}; one that says "wait" can be held."""

    address: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    working: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    gate: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Requests that say "wait" are kept while the block runs."""
        self.gate.clear()
        try:
            yield
        finally:
            self.gate.set()

    def drained(self) -> None:
        """Forget the requests that began before."""
        while self.working.acquire(blocking=False):
            pass


@contextmanager
def running() -> Iterator[FakeContainer]:
    container = FakeContainer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            container.asked.append({name.lower(): value for name, value in self.headers.items()})
            container.bodies.append(body)
            container.working.release()
            order = json.loads(body) if body.startswith(b"{") else {}
            if order.get("wait"):
                container.gate.wait(30)
            self._answer(order)

        def _answer(self, order: dict[str, Any]) -> None:
            said = order.get("say", "made").encode() + b"\0" * order.get("bytes", 0)
            self.send_response(order.get("status", 200))
            self.send_header("Content-Type", "audio/wav")
            self.send_header("Content-Length", str(len(said)))
            self.send_header("X-Amzn-SageMaker-Custom-Attributes", self.path)
            with contextlib.suppress(BrokenPipeError):  # who asked may have given up
                self.end_headers()
                self.wfile.write(said)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    container.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield container
    finally:
        container.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()
