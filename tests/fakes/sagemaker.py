"""A SageMaker endpoint with our container behind it, in memory and behind real HTTP, in each of its modes."""

import json
import re
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from email.message import Message
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config

from lambdas.aws import clients
from lambdas.backends.mock import silence
from lambdas.backends.progress import Seen
from lambdas.backends.sagemaker import SageMakerBackend
from lambdas.core.errors import TransientError
from lambdas.core.ports import Clock, Work
from lambdas.settings import HostingMode, SageMakerSettings
from tests.fakes.examples import NOW, PIECE, a_work
from tests.fakes.loopback import Answer, Loopback
from tests.fakes.stores import MemoryObjects, Time

Put = Callable[[str, bytes], object]
NAME = "cadenza-test"
BUCKET = "music"
PATH = re.compile(r"/endpoints/([^/]+)/(async-)?invocations")
HARDWARE: Mapping[HostingMode, str] = {
    "serverless": "serverless-6gb",
    "gpu": "ml.g5.xlarge",
    "async": "ml.g5.xlarge",
}
LOOKS = 3  # after which a song is finished


@dataclass(frozen=True)
class Refusal:
    """An error as SageMaker's runtime sends it."""

    status: int
    code: str | None = None
    message: str = "No."
    more: Mapping[str, object] = field(default_factory=dict)
    silent: float = 0.0  # seconds before it; the caller may have gone by then
    hang_up: bool = False


def model_error(status: int, said: str) -> Refusal:
    """What the container's own errors become."""
    more = {"OriginalStatusCode": status, "OriginalMessage": said, "LogStreamArn": "arn:aws:logs:::"}
    return Refusal(424, "ModelError", f'Received error ({status}) with message "{said}".', more)


@dataclass
class Song:
    asked: dict[str, Any]
    looks: int = 0
    state: dict[str, Any] | None = None
    age: float = 0.0


class Endpoint(Loopback):
    """Serves on a free port while the `with` block lasts. `refusals` come first, then what the mode does."""

    def __init__(self, mode: HostingMode, put: Put = lambda url, audio: None) -> None:
        super().__init__()
        self.mode, self.put = mode, put
        self.songs: dict[str, Song] = {}
        self.objects = MemoryObjects(lambda: NOW)  # asynchronous requests and answers
        self.status: str | None = "InService"
        self.heard: list[tuple[str, Mapping[str, str], dict[str, Any]]] = []
        self.refusals: list[Refusal] = []

    @property
    def begun(self) -> int:
        return len(self.songs)

    @property
    def working(self) -> int:
        states = (song.state and song.state["status"] for song in self.songs.values())
        return sum(state in (None, "queued", "running") for state in states)

    def forget(self) -> None:
        self.songs.clear()

    @property
    def stored(self) -> dict[str, bytes]:
        return self.objects.files

    def backend(self, clock: Clock, patience: float = 20) -> SageMakerBackend:
        settings = SageMakerSettings(
            endpoint=NAME, mode=self.mode, model="musicgen-small", hardware=HARDWARE[self.mode]
        )
        return SageMakerBackend(
            client=client(self.url, patience),
            settings=settings,
            look=self.look,
            objects=self.objects,
            bucket=BUCKET,
            status=lambda: self.status,
            clock=clock,
        )

    def look(self, link: str) -> Seen | None:
        """What the container has put at a progress address; it has made some more at each look."""
        for song in self.songs.values():
            if urlsplit(song.asked["progress_url"]).path == urlsplit(link).path:
                self._go_on(song)
                return Seen(json.dumps(song.state).encode(), song.age) if song.state else None
        return None

    def answer(self, method: str, target: str, headers: Message, body: bytes) -> Answer:
        lowered = {name.lower(): value for name, value in headers.items()}
        asked = self.hear(target, lowered, body)
        if not self.refusals:
            return self._answer(target, lowered, asked)
        refusal = self.refusals.pop(0)
        threading.Event().wait(refusal.silent)
        return replace(_refused(refusal), hang_up=refusal.hang_up)

    def _answer(self, path: str, headers: Mapping[str, str], asked: dict[str, Any]) -> Answer:
        found = PATH.fullmatch(path)
        assert found is not None
        if found[1] != NAME:
            return _refused(Refusal(400, "ValidationError", f"Endpoint {found[1]} of account 1 not found."))
        if found[2]:
            return self._queue(headers["x-amzn-sagemaker-inference-id"], asked)
        if "cancel" in asked:
            return _said(200, json.dumps({"canceled": self._stop(asked["cancel"])}).encode())
        song = self.songs.setdefault(asked["id"], Song(asked))
        if self.mode == "gpu":
            return _said(200, _state(song, status="queued", progress=0.0, queue_position=1))
        while song.state is None or song.state["status"] == "running":
            self._go_on(song)
        if song.state["status"] == "failed":
            return _refused(model_error(502, json.dumps({"error": song.state["error"]})))
        return _said(200, json.dumps(song.state).encode())

    def hear(self, path: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        """What is asked: in the request itself, or in the file that it names."""
        location = headers.get("x-amzn-sagemaker-inputlocation", "").removeprefix(f"s3://{BUCKET}/")
        asked: dict[str, Any] = json.loads(body or self.stored[location])
        self.heard.append((path, headers, asked))
        return asked

    def _queue(self, id: str, asked: dict[str, Any]) -> Answer:
        self.songs.setdefault(id, Song(asked))
        locations = {
            "X-Amzn-SageMaker-OutputLocation": f"s3://{BUCKET}/raw/endpoint-answers/{id}.out",
            "X-Amzn-SageMaker-FailureLocation": f"s3://{BUCKET}/raw/endpoint-failures/{id}-error.out",
        }
        return _said(202, json.dumps({"InferenceId": id}).encode(), **locations)

    def _go_on(self, song: Song) -> None:
        song.looks += 1
        if song.state is not None and song.state["status"] != "running":
            return
        if 1 < song.looks < LOOKS:
            song.state = json.loads(_state(song, status="running", progress=0.5))
        if song.looks >= LOOKS:
            self._end(song)

    def _end(self, song: Song) -> None:
        try:
            self.put(song.asked["output_url"], silence(PIECE.but(duration=song.asked["duration"])))
            song.state = json.loads(_state(song, status="finished", progress=1.0))
        except TransientError as error:
            told = {"code": "transfer_failed", "detail": error.detail, "transient": True}
            song.state = json.loads(_state(song, status="failed", progress=0.9, error=told))

    def _stop(self, id: str) -> bool:
        song = self.songs.get(id)
        if song is None or (song.state is not None and song.state["status"] == "finished"):
            return False
        song.state = json.loads(_state(song, status="canceled", progress=0.0))
        return True


def client(url: str, patience: float = 20) -> Any:
    """As the functions make theirs."""
    config = clients.CONFIG.merge(clients.ONCE).merge(Config(read_timeout=patience, proxies={}))
    return botocore.session.get_session().create_client(
        "sagemaker-runtime",
        region_name="eu-west-1",
        endpoint_url=url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=config,
    )


def wire_error(code: str, *, transient: bool) -> str:
    return json.dumps({"error": {"code": code, "detail": "d" * 1000, "transient": transient}})


class Site:
    """A backend, its endpoint, and the world around them."""

    def __init__(self, mode: HostingMode) -> None:
        self.time = Time(NOW)
        self.objects = MemoryObjects(self.time)
        self.endpoint = Endpoint(mode, self.objects.send)

    def work(self, **changes: object) -> Work:
        return a_work(self.objects, 1, PIECE.but(**{"model": "musicgen-small", "duration": 2.0, **changes}))


def serving(mode: HostingMode) -> Callable[[Put, Clock], tuple[SageMakerBackend, Endpoint]]:
    """A backend with an endpoint of its own, which goes when the backend does."""

    def served(put: Put, clock: Clock) -> tuple[SageMakerBackend, Endpoint]:
        endpoint = Endpoint(mode, put).__enter__()
        backend = endpoint.backend(clock)
        weakref.finalize(backend, _close, endpoint, backend.client)
        return backend, endpoint

    return served


def _close(endpoint: Endpoint, client: Any) -> None:
    client.close()
    endpoint.__exit__()


def _state(song: Song, **said: object) -> bytes:
    state = {"id": song.asked["id"], "message": "Playing", "seconds": 1.0, "work_s": 10.0, "error": None}
    return json.dumps(state | {"queue_position": None, "revision": "9f2c", "report": None} | said).encode()


def _refused(refusal: Refusal) -> Answer:
    headers = {"x-amzn-ErrorType": refusal.code} if refusal.code else {}
    body = {"message": refusal.message, "Message": refusal.message, **refusal.more}
    return _said(refusal.status, json.dumps(body).encode(), **headers)


def _said(status: int, body: bytes, **headers: str) -> Answer:
    length = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    return Answer(status, body, length | headers)
