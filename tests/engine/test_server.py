"""The server over real sockets: what SageMaker sends, what a laptop sends, and what goes wrong."""

import io
import json
import signal
import socket
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import urllib3
import uvicorn

from model_container.engine.live import Engine
from model_container.engine.model import Model
from model_container.server.app import App
from model_container.server.studio import Studio
from tests.engine.conftest import Folders

SONG = {"prompt": "a tune", "duration": 1.2, "seed": 7}
LONG = {**SONG, "duration": 300}


class Store:
    """A small object store with presigned addresses, as far as a container can tell."""

    def __init__(self) -> None:
        self.files: dict[str, list[bytes]] = {}
        self.status = 200
        store = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                store.files.setdefault(self.path, []).append(data)
                self._answer(store.status, b"")

            def do_GET(self) -> None:
                found = store.files.get(self.path)
                self._answer(200 if found else 404, found[-1] if found else b"")

            def _answer(self, status: int, data: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Service:
    """A running server as its clients see it."""

    def __init__(self, url: str, engine: Engine) -> None:
        self.url, self.engine = url, engine
        self._pool = urllib3.PoolManager(retries=False, timeout=60)

    def post(self, path: str, body: Any, **options: Any) -> urllib3.BaseHTTPResponse:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._pool.request("POST", self.url + path, body=data, **options)

    def get(self, path: str) -> urllib3.BaseHTTPResponse:
        return self._pool.request("GET", self.url + path)

    def delete(self, path: str) -> urllib3.BaseHTTPResponse:
        return self._pool.request("DELETE", self.url + path)

    def wait(self, condition: Any) -> None:
        for _ in range(3000):
            if condition():
                return
            time.sleep(0.01)
        pytest.fail("it did not happen")


@contextmanager
def serving(engine: Engine, timeout: float = 600) -> Iterator[Service]:
    with socket.socket() as listener, engine:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(App(Studio(engine), timeout).asgi(), log_config=None))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        service = Service(f"http://127.0.0.1:{listener.getsockname()[1]}", engine)
        service.wait(lambda: server.started)
        try:
            yield service
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store()
    yield made
    made.close()


@pytest.fixture
def service(packs: Folders) -> Iterator[Service]:
    with serving(Engine(Model.load(packs("text"), slots=2), queue_size=1)) as running:
        yield running


def samples(data: bytes) -> np.ndarray:
    with wave.open(io.BytesIO(data)) as file:
        assert file.getframerate() == 32000
        frames = file.readframes(file.getnframes() + 1)
        assert len(frames) == 2 * file.getnchannels() * file.getnframes()
        return np.frombuffer(frames, "<i2").reshape(-1, file.getnchannels()).T


def test_a_ping_is_answered(service: Service) -> None:
    answer = service.get("/ping")

    assert answer.status == 200
    assert answer.json() == {"status": "ok", "waiting": 0, "running": 0}


def test_without_an_address_the_answer_is_the_song(service: Service) -> None:
    answer = service.post("/invocations", SONG)
    again = service.post("/invocations", SONG)

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "audio/wav"
    assert answer.headers["X-Seed"] == "7"
    assert samples(answer.data).shape == (1, round(1.2 * 32000))
    assert samples(answer.data).std() > 0
    assert answer.data == again.data


def test_a_stereo_model_answers_in_stereo(packs: Folders) -> None:
    with serving(Engine(Model.load(packs("stereo")))) as service:
        assert samples(service.post("/invocations", SONG).data).shape == (2, round(1.2 * 32000))


def test_a_seed_that_was_drawn_is_told_and_makes_the_same_song(service: Service) -> None:
    first = service.post("/invocations", {"prompt": "x", "duration": 0.5})

    again = service.post(
        "/invocations", {"prompt": "x", "duration": 0.5, "seed": int(first.headers["X-Seed"])}
    )

    assert again.data == first.data


def test_the_song_begins_before_it_is_whole(service: Service) -> None:
    answer = service.post("/invocations", LONG, preload_content=False)

    assert answer.read(4) == b"RIFF"
    assert service.engine.stats().running == 1
    answer.close()


def test_a_client_that_hangs_up_stops_its_song(service: Service) -> None:
    answer = service.post("/invocations", LONG, preload_content=False)
    answer.read(1000)

    answer.close()

    service.wait(lambda: service.engine.stats().running == 0)
    assert service.engine.stats().columns < 15_000


def test_a_client_that_hangs_up_while_it_waits_for_a_delivery_stops_it(
    service: Service, store: Store
) -> None:
    body = json.dumps({**LONG, "output_url": f"{store.url}/song"}).encode()
    host, port = service.url.removeprefix("http://").split(":")
    head = f"POST /invocations HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n".encode()

    with socket.create_connection((host, int(port))) as client:
        client.sendall(head + body)
        service.wait(lambda: service.engine.stats().running == 1)

    service.wait(lambda: service.engine.stats().running == 0)
    assert store.files == {}


def test_a_song_is_put_at_its_address_with_its_progress(service: Service, store: Store) -> None:
    urls = {"output_url": f"{store.url}/song?signature=1", "progress_url": f"{store.url}/progress"}

    answer = service.post("/invocations", {**SONG, **urls, "id": "job-1"})

    summary = answer.json()
    assert answer.status == 200
    assert summary.pop("seconds") > 0
    assert summary == {"id": "job-1", "duration": 1.2, "sample_rate": 32000, "channels": 1, "seed": 7}
    assert store.files["/song?signature=1"] == [service.post("/invocations", SONG).data]
    progress = json.loads(store.files["/progress"][0])
    assert 0 < progress["progress"] <= 1
    assert progress["seconds"] == pytest.approx(progress["progress"] * 1.2)


def test_a_recording_is_continued(service: Service, store: Store) -> None:
    recording = service.post("/invocations", SONG).data
    store.files["/recording"] = [recording]

    answer = service.post("/invocations", {**SONG, "duration": 2, "continue_url": f"{store.url}/recording"})

    assert samples(answer.data).shape == (1, 64000)


def test_a_melody_is_followed(packs: Folders, store: Store) -> None:
    with serving(Engine(Model.load(packs("melody")))) as service:
        store.files["/melody"] = [service.post("/invocations", {**SONG, "seed": 1}).data]

        with_it = service.post("/invocations", {**SONG, "melody_url": f"{store.url}/melody"})
        without = service.post("/invocations", SONG)

    assert (with_it.status, without.status) == (200, 200)
    assert with_it.data != without.data


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"{", "JSON"),
        ({"duration": 3}, "prompt"),
        ({**SONG, "duration": 301}, "duration"),
        ({**SONG, "tempo": 3}, "tempo"),
        ({**SONG, "output_url": "file:///etc/passwd"}, "output_url"),
        ({**SONG, "guidance": 0}, "guidance"),
    ],
)
def test_what_is_no_request_is_told_so(service: Service, body: Any, detail: str) -> None:
    answer = service.post("/invocations", body)

    assert answer.status == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "invalid_request"
    assert detail in answer.json()["detail"]


def test_what_the_model_cannot_do_is_told_so(service: Service, store: Store) -> None:
    store.files["/melody"] = [service.post("/invocations", SONG).data]
    store.files["/text"] = [b"la la la"]

    melody = service.post("/invocations", {**SONG, "melody_url": f"{store.url}/melody"})
    text = service.post("/invocations", {**SONG, "continue_url": f"{store.url}/text"})
    missing = service.post("/invocations", {**SONG, "continue_url": f"{store.url}/nothing?secret=1"})

    assert (melody.status, text.status, missing.status) == (400, 400, 502)
    assert "no melody" in melody.json()["detail"]
    assert "not a PCM WAV" in text.json()["detail"]
    assert "the answer was 404" in missing.json()["detail"]
    assert "secret" not in missing.json()["detail"]


def test_a_request_that_is_too_long_is_not_read(service: Service) -> None:
    assert service.post("/invocations", {"prompt": "x" * 100_000}).status == 413


def test_a_store_that_refuses_is_told(service: Service, store: Store) -> None:
    store.status = 403

    answer = service.post("/invocations", {**SONG, "output_url": f"{store.url}/song"})

    assert answer.status == 502
    assert answer.json()["code"] == "transfer_failed"


def test_a_full_queue_asks_to_come_back(service: Service) -> None:
    open_answers = [service.post("/invocations", LONG, preload_content=False) for _ in range(2)]
    waiting = threading.Thread(target=service.post, args=("/invocations", SONG))
    waiting.start()
    service.wait(lambda: service.engine.stats().waiting == 1)

    refused = service.post("/invocations", SONG)

    assert refused.status == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.json()["code"] == "busy"
    for answer in open_answers:
        answer.close()
    waiting.join()


def test_a_song_stops_when_its_time_is_up(service: Service, store: Store) -> None:
    answer = service.post("/invocations", {**LONG, "output_url": f"{store.url}/song", "timeout": 0.5})

    assert answer.status == 504
    service.wait(lambda: service.engine.stats().running == 0)
    assert store.files == {}


def test_songs_that_nobody_waits_for_are_followed_by_id(service: Service, store: Store) -> None:
    asked = {**SONG, "id": "job-2", "output_url": f"{store.url}/song"}

    first, second = service.post("/songs", asked), service.post("/songs", asked)
    service.wait(lambda: service.get("/songs/job-2").json()["status"] == "finished")

    assert (first.status, second.status) == (202, 200)
    assert len(store.files["/song"]) == 1
    assert service.get("/songs/job-2").json()["summary"]["seed"] == 7
    assert service.get("/songs/other").status == 404


def test_a_song_that_nobody_waits_for_can_be_cancelled(service: Service, store: Store) -> None:
    service.post("/songs", {**LONG, "id": "job-3", "output_url": f"{store.url}/song"})

    assert service.delete("/songs/job-3").status == 204
    service.wait(lambda: service.get("/songs/job-3").json()["status"] == "stopped")

    assert service.delete("/songs/job-3").status == 204
    assert service.delete("/songs/never").status == 204
    assert store.files == {}


def test_a_song_that_fails_says_why(service: Service, store: Store) -> None:
    store.status = 403

    service.post("/songs", {**SONG, "id": "job-4", "output_url": f"{store.url}/song"})
    service.wait(lambda: service.get("/songs/job-4").json()["status"] == "failed")

    assert "the answer was 403" in service.get("/songs/job-4").json()["detail"]
    assert service.post("/songs", {**SONG, "id": "job-5"}).status == 400


def test_numbers_are_told(service: Service) -> None:
    service.post("/invocations", SONG)

    numbers = dict(
        line.split()
        for line in service.get("/metrics").data.decode().splitlines()
        if not line.startswith("#")
    )

    assert float(numbers["cadenza_rounds_total"]) == 63
    assert float(numbers["cadenza_real_time_factor"]) > 0
    assert float(numbers["cadenza_resident_bytes"]) > 1e6


def test_sigterm_lets_songs_end_and_logs_are_json(packs: Folders, store: Store, tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "model_container.serve", str(packs("text")), "--host", "127.0.0.1"]
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen([*command, "--port", str(port)], stdout=output, stderr=output)
    pool = urllib3.PoolManager()
    for _ in range(300):
        try:
            pool.request("GET", f"http://127.0.0.1:{port}/ping", retries=False)
            break
        except urllib3.exceptions.HTTPError:
            time.sleep(0.1)

    body = json.dumps({**SONG, "duration": 10, "id": "last", "output_url": f"{store.url}/song"})
    pool.request("POST", f"http://127.0.0.1:{port}/songs", body=body)
    process.send_signal(signal.SIGTERM)

    assert process.wait(timeout=60) in (0, -signal.SIGTERM)
    assert samples(store.files["/song"][0]).shape == (1, 320_000)
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert {"loaded"} <= {event["message"] for event in events}


def test_a_folder_that_is_no_pack_ends_the_server_with_a_reason(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "model_container.serve", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "config.json" in done.stdout
    assert "Traceback" not in done.stderr
