"""Replicate behind real HTTP, as its OpenAPI document and its guides describe it, on a clock of the test's.

Predictions: https://api.replicate.com/openapi.json (predictions.create, .get, .cancel), which every request
and every answer is held to (tests/fakes/published.py). Webhooks:
https://replicate.com/docs/topics/webhooks/verify-webhook.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from email.message import Message
from typing import Any

import urllib3

from lambdas.backends.replicate import ReplicateBackend
from lambdas.core.ports import Clock
from lambdas.core.signing import secrets_in, sign
from tests.fakes.loopback import Answer, Loopback
from tests.fakes.predictions import BOOT, PACE, Prediction, logs, raised, seconds_of, wav
from tests.fakes.published import operation, seconds, true, wrong

TOKEN = "r8_test"
VERSION = "671ac645ce5e552cc63a54a2bbff63fcf798043055d2dac5fc9e36a837eedcfb"
WEBHOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

Put = Callable[[str, bytes], object]

KEPT = timedelta(hours=1)  # how long inputs, outputs and logs are kept
ENDED = ("succeeded", "failed", "canceled", "aborted")


class Replicate(Loopback):
    """Serves on a free port while the `with` block lasts. `answers` and `deliveries` come first, then the API
    and the files. `boot` and `pace` are those of its machines, in seconds and seconds per second of audio;
    `recordings` the lengths of inputs by their addresses."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.boot, self.pace = BOOT, PACE
        self.predictions: dict[str, Prediction] = {}
        self.recordings: dict[str, float] = {}
        self.fetch: Callable[[str], bytes | None] = lambda url: None  # what it finds at an input's address
        self.answers: list[Answer] = []
        self.deliveries: list[Answer] = []
        self.output: object = None  # said instead of the file's address, when not None
        self.seen = Counter[str]()  # by method and first step of the path
        self.headers: list[Mapping[str, str]] = []
        self.paths: list[tuple[str, str]] = []  # with their methods
        self.before_sending: Callable[[], object] = lambda: None  # when an answer is made

    @property
    def begun(self) -> int:
        return len(self.predictions)

    @property
    def working(self) -> int:
        return sum(self.clock() < each.end()[0] for each in self.predictions.values())

    def forget(self) -> None:
        self.predictions.clear()

    def answer(self, method: str, target: str, headers: Message, body: bytes) -> Answer:
        self.headers.append({name.lower(): value for name, value in headers.items()})
        self.paths.append((method, target))
        said = self._answer(method, target, self.headers[-1], body)
        self.before_sending()
        return said

    def _answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        area = "files" if path.startswith("/files/") else path.removeprefix("/v1/").partition("/")[0]
        self.seen[f"{method} {area}"] += 1
        scripted = self.deliveries if area == "files" else self.answers
        if scripted:
            return scripted.pop(0)
        if headers.get("authorization") != f"Bearer {TOKEN}":
            return problem(401, "Unauthenticated", "You did not pass a valid authentication token")
        if area == "files":
            return self._file(path.split("/")[2])
        asked = operation(method, path)
        if asked == "predictions.create":
            return self._create(headers, json.loads(body))
        id = path.removeprefix("/v1/predictions/").partition("/")[0]
        if asked is None or id not in self.predictions:
            return problem(404, "Not found", "Not found")
        if asked == "predictions.cancel":
            self._cancel(self.predictions[id])
        return Answer(body=json.dumps(self.told(id)).encode())

    def told(self, id: str) -> Mapping[str, Any]:
        """The prediction as predictions.get answers it."""
        prediction, now = self.predictions[id], self.clock()
        end, how = prediction.end()
        status = how if now >= end else "processing" if now >= prediction.started else "starting"
        removed = status in ENDED and now >= end + KEPT
        began = now >= prediction.started and end >= prediction.started
        computed = (min(now, end) - prediction.started).total_seconds() if began else 0.0
        said = {
            "id": id,
            "model": "meta/musicgen",
            "version": prediction.asked["version"],
            "input": {} if removed else prediction.asked["input"],
            "logs": logs(prediction, computed) if began and not removed else "",
            "output": self._output(prediction) if status == "succeeded" and not removed else None,
            "data_removed": removed,
            "error": prediction.error if status == "failed" else None,
            "source": "api",
            "status": status,
            "urls": self._urls(id),
            **_moments(prediction, began, end if status in ENDED else None),
        }
        metered = status in ENDED and status != "aborted"
        return true(said | ({"metrics": {"predict_time": computed}} if metered else {}))

    def webhook(self, id: str, secret: str = WEBHOOK_SECRET) -> tuple[dict[str, str], bytes]:
        """The request that tells of a prediction's end: its headers and its body."""
        body, timestamp = json.dumps(self.told(id)).encode(), int(self.clock().timestamp())
        (key,) = secrets_in(secret)
        return {
            "content-type": "application/json",
            "webhook-id": f"msg_{id}",
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(key, f"msg_{id}", timestamp, body),
        }, body

    def _create(self, headers: Mapping[str, str], asked: dict[str, Any]) -> Answer:
        if fault := wrong(asked, headers):
            return problem(422, "Input validation failed", fault)
        if asked["version"] != VERSION:
            detail = "The specified version does not exist (or perhaps you don't have permission to use it?)"
            return problem(422, "Invalid version or not permitted", detail)
        now, after = self.clock(), headers.get("cancel-after")
        deadline = None if after is None else now + timedelta(seconds=seconds(after))
        id = f"{len(self.predictions) + 1:026d}"
        url = asked["input"].get("input_audio")
        recording = self.fetch(url) if url else None
        if recording is not None:
            self.recordings[url] = seconds_of(recording)
        error = raised(asked["input"], self.recordings)
        given = recording if asked["input"].get("continuation") else None
        self.predictions[id] = Prediction(id, asked, now, deadline, self.boot, self.pace, None, error, given)
        return Answer(201, json.dumps(self.told(id)).encode())

    def _urls(self, id: str) -> dict[str, str]:
        here = f"{self.url}/v1/predictions/{id}"
        return {"get": here, "cancel": f"{here}/cancel", "web": f"https://replicate.com/p/{id}"}

    def _cancel(self, prediction: Prediction) -> None:
        if self.clock() < prediction.end()[0]:
            prediction.canceled = self.clock()

    def _output(self, prediction: Prediction) -> object:
        return f"{self.url}/files/{prediction.id}/out.wav" if self.output is None else self.output

    def _file(self, id: str) -> Answer:
        if id not in self.predictions or self.told(id)["output"] is None:
            return Answer(404)
        audio = wav(self.predictions[id])
        return Answer(200, audio, {"Content-Type": "audio/wav", "Content-Length": str(len(audio))})


def _moments(prediction: Prediction, began: bool, end: datetime | None) -> dict[str, str]:
    """Those that have come."""
    moments = {
        "created_at": prediction.created,
        "started_at": prediction.started if began else None,
        "completed_at": end,
        "deadline": prediction.deadline,
    }
    return {name: moment.isoformat() for name, moment in moments.items() if moment is not None}


def problem(status: int, title: str, detail: str, **more: object) -> Answer:
    """An error as the API words it; `retry_after` comes with a 429."""
    return Answer(status, json.dumps({"title": title, "detail": detail, "status": status, **more}).encode())


def connect(
    replicate: Replicate, http: urllib3.PoolManager, put: Put = lambda url, audio: None
) -> ReplicateBackend:
    """A backend of this Replicate, as a deployment would make it."""
    return ReplicateBackend(
        version=VERSION,
        hardware="a100-80gb",
        token=lambda: f"{TOKEN}\n",  # as a secret may have been pasted
        http=http,
        put=put,
        base_url=f"{replicate.url}/v1",
    )


def serving(put: Put, clock: Clock) -> tuple[ReplicateBackend, Replicate]:
    """A backend with a Replicate of its own, which goes when the backend does."""
    replicate, http = Replicate(clock), urllib3.PoolManager()
    backend = connect(replicate, http, put)
    replicate.live_with(backend, http)
    return backend, replicate
