"""A model container in memory, behind real HTTP: the server of docs/wire.md, for tests of its clients."""

import json
import re
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import urllib3

from lambdas.backends.container import ContainerBackend
from lambdas.backends.mock import silence
from lambdas.core.errors import TransientError
from tests.fakes.examples import PIECE

Put = Callable[[str, bytes], object]
FIELDS = {
    *("id", "prompt", "duration", "seed", "temperature", "top_k", "top_p", "guidance", "audio", "tracks"),
    *("output_url", "progress_url", "deadline_s", "respond_async"),
}
LOOKS = 3  # after which a song is finished


@dataclass(frozen=True)
class Answer:
    """What a server says instead of what the contract would have it say."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    hang_up: bool = False  # before a word is said
    drip: int = 0  # times that the body is sent, on its own, one after the other


@dataclass
class Song:
    asked: dict[str, Any]
    looks: int = 0
    ended: dict[str, object] | None = None


class Container:
    """Serves on a free port while the `with` block lasts. `answers` come first, then the contract."""

    def __init__(self, put: Put = lambda url, audio: None) -> None:
        self.put, self.songs = put, dict[str, Song]()
        self.answers: list[Answer] = []
        self.seen = Counter[str]()  # by method
        self.preferred: list[str | None] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

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

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        self.seen[method] += 1
        if self.answers:
            return self.answers.pop(0)
        if (method, path) == ("POST", "/invocations"):
            return self._begin(json.loads(body))
        id = path.removeprefix("/invocations/")
        if method == "DELETE":
            self._stop(id)
            return Answer(204)
        return _json(200, self._state(id)) if id in self.songs else _error(404, "unknown", transient=False)

    def _begin(self, asked: dict[str, Any]) -> Answer:
        if set(asked) - FIELDS or not 1 <= len(asked["prompt"]) <= 600:
            return _error(422, "invalid", transient=False)
        if not re.fullmatch(r"[A-Za-z0-9_.:-]{1,128}", asked["id"]):
            return _error(422, "invalid", transient=False)
        song = self.songs.setdefault(asked["id"], Song(asked))
        return _json(202, self._said(song))

    def _state(self, id: str) -> dict[str, object]:
        song = self.songs[id]
        if song.ended is None:
            song.looks += 1
            if song.looks >= LOOKS:
                self._end(song)
        return self._said(song)

    def _end(self, song: Song) -> None:
        song.ended = {"status": "finished", "progress": 1.0}
        try:
            self.put(song.asked["output_url"], silence(PIECE.but(duration=song.asked["duration"])))
        except TransientError as error:
            told = {"code": "transfer_failed", "detail": error.detail, "transient": True}
            song.ended = {"status": "failed", "error": told}

    def _stop(self, id: str) -> None:
        if id in self.songs and self.songs[id].ended is None:
            self.songs[id].ended = {"status": "canceled"}

    def _said(self, song: Song) -> dict[str, object]:
        begun = {"id": song.asked["id"], "seconds": 0.0, "work_s": 0.1, "error": None}
        if song.looks < 2:
            queued = {"status": "queued", "progress": 0.0, "message": "Waiting", "queue_position": 2}
            return begun | queued | (song.ended or {})
        running = {"status": "running", "progress": 0.5, "message": "Playing", "queue_position": None}
        return begun | running | (song.ended or {})


def serving(put: Put) -> ContainerBackend:
    """A backend with a container of its own, which goes when the backend does."""
    container = Container(put).__enter__()
    http = urllib3.PoolManager()
    backend = ContainerBackend(container.url, http)
    weakref.finalize(backend, _close, container, http)
    return backend


def _close(container: Container, http: urllib3.PoolManager) -> None:
    http.clear()
    container.__exit__()


def _json(status: int, said: Mapping[str, object]) -> Answer:
    return Answer(status, json.dumps(said).encode())


def _error(status: int, code: str, *, transient: bool) -> Answer:
    return _json(status, {"error": {"code": code, "detail": "No.", "transient": transient}})


def _handler(container: Container) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            container.preferred.append(self.headers["prefer"])
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            answer = container.answer(self.command, self.path, body)
            if answer.hang_up:
                return
            self.send_response(answer.status)
            for name, value in {"Cadenza-Wire": "1", **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            for _ in range(answer.drip or 1):
                self.wfile.write(answer.body)
                self.wfile.flush()

        do_POST = do_DELETE = do_GET  # noqa: N815

        def log_message(self, format: str, *arguments: object) -> None:
            """Tests read what was said in `seen`."""

    return Handler
