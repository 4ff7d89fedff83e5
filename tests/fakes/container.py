"""A model container in memory, behind real HTTP: the server of docs/wire.md, for tests of its clients."""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from email.message import Message
from typing import Any

import urllib3

from lambdas.backends.container import ContainerBackend
from lambdas.backends.mock import silence
from lambdas.core.errors import TransientError
from lambdas.core.ports import Clock
from tests.fakes.examples import PIECE
from tests.fakes.loopback import Answer, Loopback

Put = Callable[[str, bytes], object]
FIELDS = {
    *("id", "prompt", "duration", "seed", "temperature", "top_k", "top_p", "guidance", "audio", "tracks"),
    *("output_url", "progress_url", "deadline_s", "respond_async"),
}
LOOKS = 3  # after which a song is finished


@dataclass
class Song:
    asked: dict[str, Any]
    looks: int = 0
    ended: dict[str, object] | None = None


class Container(Loopback):
    """Serves on a free port while the `with` block lasts. `answers` come first, then the contract."""

    def __init__(self, put: Put = lambda url, audio: None) -> None:
        super().__init__()
        self.put, self.songs = put, dict[str, Song]()
        self.answers: list[Answer] = []
        self.seen = Counter[str]()  # by method
        self.preferred: list[str | None] = []

    @property
    def begun(self) -> int:
        return len(self.songs)

    @property
    def working(self) -> int:
        return sum(song.ended is None for song in self.songs.values())

    def forget(self) -> None:
        self.songs.clear()

    def answer(self, method: str, target: str, headers: Message, body: bytes) -> Answer:
        self.seen[method] += 1
        self.preferred.append(headers["prefer"])
        said = self.answers.pop(0) if self.answers else self._answer(method, target, body)
        return replace(said, headers={"Cadenza-Wire": "1", **said.headers})

    def _answer(self, method: str, path: str, body: bytes) -> Answer:
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


def serving(put: Put, _: Clock) -> tuple[ContainerBackend, Container]:
    """A backend with a container of its own, which goes when the backend does."""
    container, http = Container(put), urllib3.PoolManager()
    backend = ContainerBackend(container.url, http)
    container.live_with(backend, http)
    return backend, container


def _json(status: int, said: Mapping[str, object]) -> Answer:
    return Answer(status, json.dumps(said).encode())


def _error(status: int, code: str, *, transient: bool) -> Answer:
    return _json(status, {"error": {"code": code, "detail": "No.", "transient": transient}})
