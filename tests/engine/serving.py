"""A running server, a small object store beside it, and what a client sees of both."""

import io
import json
import socket
import threading
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
import urllib3
import uvicorn

from model_container.engine.live import Engine
from model_container.server.app import App
from model_container.server.opening import Opening
from model_container.server.song_studio import SongStudio
from model_container.server.studio import About, Studio
from model_container.server.waiting import STALL, limit_stalls

SONG = {"prompt": "a tune", "duration": 1.2, "seed": 7}
LONG = {**SONG, "duration": 300}
ABOUT = About("songs", "tiny", "r1", "cpu")


class Store:
    """A small object store with presigned addresses, as far as a container can tell."""

    def __init__(self) -> None:
        self.files: dict[str, list[bytes]] = {}
        self.order: list[str] = []  # paths, as files came
        self.status = 200
        self.refusals: dict[str, int] = {}  # path → answers of 503 that are still to come
        store = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                if store.refusals.get(self.path, 0) > 0:
                    store.refusals[self.path] -= 1
                    return self._answer(503, b"")
                store.files.setdefault(self.path, []).append(data)
                store.order.append(self.path)
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


class Drip:
    """A store that gives a file a little at a time, and never all of it."""

    def __init__(self) -> None:
        self.asked = 0
        self._closed = threading.Event()
        drip = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                drip.asked += 1
                self.send_response(200)
                self.end_headers()
                with suppress(OSError):  # whom it answers has gone
                    while not drip._closed.wait(0.05):
                        self.wfile.write(b"RIFF")

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/drip"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()


class Service:
    """A running server as its clients see it, and the engine within."""

    def __init__(self, url: str, engine: Any) -> None:
        self.url, self.engine = url, engine
        self._pool = urllib3.PoolManager(retries=False, timeout=60)

    def post(self, path: str, body: Any, **options: Any) -> urllib3.BaseHTTPResponse:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._pool.request("POST", self.url + path, body=data, **options)

    def begin(self, body: Any) -> urllib3.BaseHTTPResponse:
        return self.post("/invocations", body, headers={"Prefer": "respond-async"})

    def get(self, path: str) -> urllib3.BaseHTTPResponse:
        return self._pool.request("GET", self.url + path)

    def delete(self, path: str) -> urllib3.BaseHTTPResponse:
        return self._pool.request("DELETE", self.url + path)

    def wait(self, condition: Callable[[], bool]) -> None:
        for _ in range(3000):
            if condition():
                return
            time.sleep(0.01)
        pytest.fail("it did not happen")


def serving(engine: Engine, timeout: float = 600, stall: float = STALL) -> AbstractContextManager[Service]:
    """A server of songs by this engine, which is started and closed with it."""
    return answering(lambda stack: SongStudio(stack.enter_context(engine), ABOUT), engine, timeout, stall)


@contextmanager
def answering(
    load: Callable[[ExitStack], Studio], engine: object = None, timeout: float = 600, stall: float = STALL
) -> Iterator[Service]:
    """A server of whatever `load` opens."""
    opening = Opening(load)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        limit_stalls(listener, stall)
        server = uvicorn.Server(uvicorn.Config(App(opening, timeout).asgi(), log_config=None))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        service = Service(f"http://127.0.0.1:{listener.getsockname()[1]}", engine)
        service.wait(lambda: server.started)
        opening.start()
        opening.wait()
        try:
            yield service
        finally:
            server.should_exit = True
            thread.join()
            opening.close()


def samples(data: bytes, rate: int = 32000) -> np.ndarray:
    with wave.open(io.BytesIO(data)) as file:
        assert file.getframerate() == rate
        frames = file.readframes(file.getnframes() + 1)
        assert len(frames) == 2 * file.getnchannels() * file.getnframes()
        return np.frombuffer(frames, "<i2").reshape(-1, file.getnchannels()).T


@contextmanager
def hanging(service: Service, body: Any) -> Iterator[None]:
    """A client that has sent its request and reads no answer, until it hangs up."""
    data = json.dumps(body).encode()
    host, port = service.url.removeprefix("http://").split(":")
    head = f"POST /invocations HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(data)}\r\n\r\n"
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # which an answer does not fit in
        client.connect((host, int(port)))
        client.sendall(head.encode() + data)
        yield
