"""An ACE-Step server in memory, behind real HTTP, for tests of its clients.

Built from docs/en/API.md and acestep/api of ace-step/ACE-Step-1.5 (v0.1.8): its fields, its envelope, its
result that is JSON within JSON, its tasks that take time, its missing ones that look queued. What it cannot
read it refuses, which the real one, taking any field, does not.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import urllib3

from lambdas.backends.acestep import AceStepBackend
from lambdas.backends.mock import silence
from tests.fakes.examples import PIECE
from tests.fakes.forms import form
from tests.fakes.loopback import Answer, Loopback

Put = Callable[[str, bytes], object]
Clock = Callable[[], Any]

DOCUMENTED = (
    "prompt lyrics thinking vocal_language audio_format bpm key_scale audio_duration inference_steps "
    "guidance_scale use_random_seed seed batch_size lm_temperature lm_negative_prompt lm_top_k lm_top_p "
    "use_cot_caption use_cot_language task_type repainting_start repainting_end audio_cover_strength"
)
FIELDS = set(DOCUMENTED.split())
FILES = {"reference_audio", "ref_audio", "src_audio", "ctx_audio"}
TASKS = {"text2music": None, "cover": "src_audio", "repaint": "src_audio"}
WAITS, WORKS = 3.0, 10.0  # seconds until a task is begun, and until it is made
FOLDER = "/app/.cache/acestep/tmp/api_audio"
QUEUE = 200
INFO = (
    "**🎵 Total generation time (1 song): 7.50s**\n- 7.50s per song\n- LM phase (1 song): 5.00s\n\n"
    "**🔧 Total processing time (1 song): 0.50s**"
)
SECRETS = "12:00:00 | INFO | another caller's words"  # `progress_text` is the server's last line of log


@dataclass
class Task:
    asked: dict[str, Any]
    files: dict[str, bytes]
    created: float
    error: str | None = None


class AceStep(Loopback):
    """Serves on a free port while the `with` block lasts. `answers` come first, then the contract."""

    waits, works = WAITS, WORKS

    def __init__(
        self, clock: Clock, key: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__()
        self.clock, self.key, self.wanted = clock, key, dict(headers or {})
        self.tasks: dict[str, Task] = {}
        self.answers: dict[str, list[Answer]] = defaultdict(list)  # by path
        self.seen: list[str] = []  # method and path
        self.recording = b""  # what a bucket would hold, at `input_url`
        self.changes: dict[str, Any] = {}  # to what is said of songs that are begun
        self.stopped: float | None = None  # when it was started anew: then all that was begun stands still

    @property
    def begun(self) -> int:
        return len(self.tasks)

    @property
    def working(self) -> int:
        return sum(self._jobs().values())

    def forget(self) -> None:
        self.tasks.clear()

    @property
    def input_url(self) -> str:
        return self.url + "/bucket/input.wav?X-Amz-Signature=s"

    def answer(self, method: str, target: str, headers: Message, body: bytes) -> Answer:
        path = urlsplit(target).path
        if path.startswith("/bucket/"):
            return Answer(200, self.recording) if "authorization" not in headers else Answer(400)
        self.seen.append(f"{method} {path}")
        if any(headers.get(name) != value for name, value in self.wanted.items()):
            return Answer(401, b"modal-http: missing credentials for proxy authorization")
        if self.answers[path]:
            return self.answers[path].pop(0)
        if path == "/health":
            return _wrapped({"status": "ok", "service": "ACE-Step API", "version": "1.0"})
        if self.key is not None and headers.get("authorization") != f"Bearer {self.key}":
            return _refused(401, "Invalid API key")
        return self._route(method, target, headers, body)

    def _route(self, method: str, target: str, headers: Message, body: bytes) -> Answer:
        match method, urlsplit(target).path:
            case "POST", "/release_task":
                return self._release(*form(headers, body))
            case "POST", "/query_result":
                return _wrapped([self._told(task) for task in json.loads(body)["task_id_list"]])
            case "GET", "/v1/stats":
                return _wrapped({"jobs": self._jobs(), "queue_size": 0, "avg_job_seconds": 5.0})
            case "GET", "/v1/audio":
                return self._audio(parse_qs(urlsplit(target).query)["path"][0])
        return _refused(404, "Not Found")

    def _release(self, asked: dict[str, Any], files: dict[str, bytes]) -> Answer:
        unknown = (set(asked) - FIELDS) | (set(files) - FILES)
        if (
            unknown
            or not 1 <= asked["audio_duration"] <= 600
            or TASKS[asked["task_type"]] not in (None, *files)
        ):
            return _refused(400, f"Not of the contract: {unknown or asked}")
        if len(self.tasks) >= QUEUE:
            return _refused(429, "Server busy: queue is full")
        id = f"550e8400-e29b-41d4-a716-{len(self.tasks):012d}"
        self.tasks[id] = Task(asked, files, self.clock().timestamp())
        place = sum(self._age(task) < self.waits for task in self.tasks.values())
        return _wrapped({"task_id": id, "status": "queued", "queue_position": place})

    def restart(self) -> None:
        self.stopped = self.clock().timestamp()

    def _jobs(self) -> dict[str, int]:
        ages = [] if self.stopped else [self._age(task) for task in self.tasks.values()]
        queued = sum(age < self.waits for age in ages)
        return {"queued": queued, "running": sum(age < self.works for age in ages) - queued}

    def _age(self, task: Task) -> float:
        age: float = (self.stopped or self.clock().timestamp()) - task.created
        return age

    def _told(self, id: str) -> dict[str, Any]:
        task = self.tasks.get(id)
        if task is None:
            return {"task_id": id, "result": "[]", "status": 0}
        status, song = self._song(id, task)
        common = {"wave": "", "status": status, "create_time": int(task.created), "env": "development"}
        result = json.dumps([common | song], ensure_ascii=False)
        return {"task_id": id, "result": result, "status": status, "progress_text": SECRETS}

    def _song(self, id: str, task: Task) -> tuple[int, dict[str, Any]]:
        age = self._age(task)
        if task.error is not None:
            return 2, {"file": "", "progress": 0.0, "stage": "failed", "error": task.error}
        if age < self.waits:
            empty: dict[str, Any] = {"prompt": "", "lyrics": "", "metas": {}, "error": None}
            return 0, {"file": "", "progress": 0.0, "stage": "queued"} | empty
        if age < self.works:
            making = "Generating music (batch size: 1)..."
            return 0, {
                "file": "",
                "progress": (age - self.waits) / (self.works - self.waits),
                "stage": making,
            } | self.changes
        made = {
            "file": f"/v1/audio?path={quote(f'{FOLDER}/{id}.wav', safe='')}",
            "progress": 1.0,
            "stage": "succeeded",
            "prompt": task.asked["prompt"],
            "lyrics": task.asked["lyrics"],
            "metas": {"bpm": 120, "duration": 30, "genres": "", "keyscale": "C Major", "timesignature": "4"},
            "generation_info": INFO,
            "seed_value": str(task.asked["seed"]),
            "lm_model": "acestep-5Hz-lm-1.7B",
            "dit_model": "acestep-v15-turbo",
        }
        return 1, made | self.changes

    def _audio(self, path: str) -> Answer:
        found = re.fullmatch(rf"{FOLDER}/([^/]+)\.wav", path)
        if found is None:
            return _refused(403, "Access denied: path outside allowed directory")
        if found[1] not in self.tasks:
            return _refused(404, "Audio file not found")
        wav = silence(PIECE.but(duration=self.tasks[found[1]].asked["audio_duration"]))
        return Answer(200, wav, {"Content-Length": str(len(wav)), "Content-Type": "audio/wav"})


def serving(put: Put, clock: Clock) -> tuple[AceStepBackend, AceStep]:
    """A backend with a server of its own, which goes when the backend does."""
    server, http = AceStep(clock), urllib3.PoolManager()
    backend = AceStepBackend(server.url, http, put, clock)
    server.live_with(backend, http)
    return backend, server


def _wrapped(data: object) -> Answer:
    told = {"data": data, "code": 200, "error": None, "timestamp": 1_700_000_000_000, "extra": None}
    return Answer(200, json.dumps(told).encode())


def _refused(status: int, detail: str) -> Answer:
    return Answer(status, json.dumps({"detail": detail}).encode())
