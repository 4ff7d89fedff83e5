"""Files from and to addresses that are nobody's friend: neither memory nor a thread is theirs to keep."""

import gzip
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import urllib3

from model_container.server import transfer

Conduct = Callable[[BaseHTTPRequestHandler], object]


class Stranger:
    """A server that answers as it is told."""

    def __init__(self) -> None:
        self.conduct: Conduct = lambda _: None
        self.take: Conduct = lambda handler: handler.rfile.read(int(handler.headers["Content-Length"]))
        self.sent = 0
        stranger = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with suppress(OSError):  # whom it answers has gone
                    stranger.conduct(self)

            def do_PUT(self) -> None:
                with suppress(OSError):
                    stranger.take(self)
                    stranger.conduct(self)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/file"

    def content(self, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def endless(self, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while self.sent < 64 << 20:
            self.sent += handler.wfile.write(bytes(1 << 16))

    def dripping(self, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"R")
            time.sleep(0.02)

    def zipped(self, handler: BaseHTTPRequestHandler) -> None:
        body = gzip.compress(bytes(1 << 20))
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def later(self, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(503)
        handler.send_header("Retry-After", "3600")
        handler.send_header("Content-Length", "0")
        handler.end_headers()


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    strange = Stranger()
    thread = Thread(target=strange.server.serve_forever)
    thread.start()
    yield strange
    strange.server.shutdown()
    thread.join()
    strange.server.server_close()


def test_no_more_is_taken_than_a_file_may_have(stranger: Stranger, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger.conduct = stranger.endless
    monkeypatch.setattr(transfer, "MAX_BYTES", 1 << 20)

    with pytest.raises(transfer.TransferError, match="more than 1 MB"):
        transfer.get(stranger.url, "the input audio")


def test_whoever_drips_does_not_keep_us(stranger: Stranger, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger.conduct = stranger.dripping
    monkeypatch.setattr(transfer, "PATIENCE", 0.1)

    with pytest.raises(transfer.TransferError, match="too slowly"):
        transfer.get(stranger.url, "the input audio")


def test_nothing_is_unpacked(stranger: Stranger) -> None:
    stranger.conduct = stranger.zipped

    with transfer.get(stranger.url, "the input audio") as file:
        assert file.read(2) == b"\x1f\x8b"


@pytest.mark.parametrize("conduct", [Stranger.endless, Stranger.dripping])
def test_what_a_store_says_after_its_status_is_not_waited_for(
    stranger: Stranger, conduct: Callable[[Stranger, BaseHTTPRequestHandler], None]
) -> None:
    stranger.conduct = lambda handler: conduct(stranger, handler)

    for _ in range(3):
        transfer.put(stranger.url, b"RIFF", "audio/wav", "the audio")

    assert stranger.sent < 64 << 20


def test_a_store_that_takes_its_time_gets_the_whole(
    stranger: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, took = bytes(24 << 20), []

    def take(handler: BaseHTTPRequestHandler) -> None:
        for _ in range(24):
            time.sleep(0.05)
            took.append(len(handler.rfile.read(1 << 20)))

    monkeypatch.setattr(transfer, "STORING", urllib3.Timeout(connect=0.4, read=10))
    stranger.take, stranger.conduct = take, stranger.content

    transfer.put(stranger.url, data, "audio/wav", "the audio", tries=1)

    assert sum(took) == len(data)


@pytest.mark.parametrize("way", ["get", "put"])
def test_what_is_not_wanted_any_more_is_left(stranger: Stranger, way: str) -> None:
    stranger.conduct = stranger.endless
    answers = iter([True, False])

    def move() -> None:
        if way == "get":
            transfer.get(stranger.url, "the audio", lambda: next(answers))
        else:
            transfer.put(stranger.url, bytes(1 << 20), "audio/wav", "the audio", 1, lambda: next(answers))

    with pytest.raises(transfer.TransferError, match="not wanted"):
        move()


def test_no_store_puts_us_to_sleep(stranger: Stranger, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger.conduct = stranger.later
    slept: list[float] = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", slept.append)

    with pytest.raises(transfer.TransferError, match="503"):
        transfer.put(stranger.url, b"RIFF", "audio/wav", "the audio")

    assert sum(slept) < 10
