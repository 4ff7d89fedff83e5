"""The server as a process of its own: what it makes of its folder, of signals, and of being killed."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import urllib3

from model_container.serve import SAGEMAKER, _parse
from tests.engine import tiny_tracks
from tests.engine.serving import Store, samples
from tests.engine.tracks.conftest import Folders
from tests.engine.tracks.serving import RATE, clip

PATIENCE = 120.0  # seconds


class Process:
    def __init__(self, folder: Path, log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url, self._log = f"http://127.0.0.1:{port}", log
        command = ["-m", "model_container.serve", folder, "--host", "127.0.0.1", "--port", port]
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, *map(str, command)], stdout=output, stderr=output
            )

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def ask(self, method: str, path: str, body: Any = None) -> urllib3.BaseHTTPResponse:
        return urllib3.request(method, self.url + path, json=body, retries=False, timeout=PATIENCE)

    def answered(self) -> urllib3.BaseHTTPResponse:
        """The first answer to a ping."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and self.process.poll() is None:
            try:
                return self.ask("GET", "/ping")
            except urllib3.exceptions.HTTPError:
                time.sleep(0.01)  # it does not listen yet
        pytest.fail(self._log.read_text())

    def settled(self) -> urllib3.BaseHTTPResponse:
        """The answer to a ping once it no longer loads."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            answer = self.answered()
            if answer.status == 200 or answer.json()["error"]["code"] != "loading":
                return answer
            time.sleep(0.05)
        pytest.fail(self._log.read_text())


@contextmanager
def process(folder: Path, log: Path) -> Iterator[Process]:
    running = Process(folder, log)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()


def until_told(store: Store, message: str) -> None:
    until = time.monotonic() + PATIENCE
    while not any(message.encode() in data for data in store.files.get("/progress", [])):
        assert time.monotonic() < until
        time.sleep(0.005)


def long(store: Store, **changes: Any) -> dict[str, Any]:
    urls = {"output_url": f"{store.url}/clip", "progress_url": f"{store.url}/progress"}
    return {**clip(store), **urls, "duration": 26, "respond_async": True, **changes}


def test_sigterm_lets_a_clip_end_and_be_told(track_packs: Folders, store: Store, tmp_path: Path) -> None:
    with process(track_packs(), tmp_path / "log") as server:
        assert server.settled().status == 200
        assert server.ask("POST", "/invocations", long(store, id="last")).status == 200
        until_told(store, "Encoding")

        server.process.send_signal(signal.SIGTERM)

        assert server.process.wait(PATIENCE) == 0
        events = {event["message"] for event in server.events()}
    assert samples(store.files["/clip"][0], RATE).shape == (1, 26 * RATE)
    assert json.loads(store.files["/progress"][-1])["status"] == "finished"
    assert {"loaded", "song ended"} <= events


def test_sigterm_ends_a_server_that_is_still_loading(track_checkpoints: Folders, tmp_path: Path) -> None:
    with process(track_checkpoints(), tmp_path / "log") as server:
        answer = server.answered()

        server.process.send_signal(signal.SIGTERM)

        assert server.process.wait(PATIENCE) == 0
    assert (answer.status, answer.json()["error"]["code"]) == (503, "loading")
    assert int(answer.headers["Retry-After"]) > 0


def test_a_killed_server_leaves_no_end_and_another_makes_the_clip(
    track_packs: Folders, store: Store, tmp_path: Path
) -> None:
    with process(track_packs(), tmp_path / "log") as server:
        assert server.settled().status == 200
        server.ask("POST", "/invocations", long(store, id="c-1"))
        until_told(store, "Encoding")
        server.process.kill()
        server.process.wait()
    left = [json.loads(data)["status"] for data in store.files["/progress"]]

    with process(track_packs(), tmp_path / "log") as server:
        assert server.settled().status == 200
        unknown = server.ask("GET", "/invocations/c-1")
        answer = server.ask("POST", "/invocations", long(store, id="c-1", respond_async=False))

    assert set(left) == {"running"}
    assert unknown.status == 404
    assert answer.json()["status"] == "finished"
    assert samples(store.files["/clip"][-1], RATE).shape == (1, 26 * RATE)


def test_a_published_checkpoint_is_packed_at_start(
    track_checkpoints: Folders, store: Store, tmp_path: Path
) -> None:
    with process(track_checkpoints(), tmp_path / "log") as server:
        ping = server.settled()
        answer = server.ask("POST", "/invocations", clip(store))

    assert (ping.status, ping.json()["model"], ping.json()["device"]) == (200, "cascade", "cpu")
    assert ping.json()["revision"].startswith("sha256:")
    assert answer.status == 200
    assert sorted(path.name for path in track_checkpoints().iterdir()) == ["cascade.pt", "encodec"]


def nothing(folder: Path) -> str:
    folder.rmdir()
    return "config.json"


def no_encodec(folder: Path) -> str:
    shutil.rmtree(folder / "encodec")
    return "encodec/config.json"


def not_finite(folder: Path) -> str:
    file = folder / "cascade.pt"
    container = torch.load(file, weights_only=True)
    container["model_state_dict"]["cascade_stages.0.post_norm.bias"][3] = float("nan")
    torch.save(container, file)
    return "cascade_stages.0.post_norm.bias is not finite"


def another_model(folder: Path) -> str:
    container = torch.load(folder / "cascade.pt", weights_only=True)
    del container["model_state_dict"]["cascade_stages.1.output_proj.weight_u"]
    torch.save(container, folder / "cascade.pt")
    return "missing cascade_stages.1.output_proj.weight_u"


def cut_short(folder: Path) -> str:
    file = folder / "cascade.pt"
    file.write_bytes(file.read_bytes()[:5000])
    return "cascade.pt is not a checkpoint"


@pytest.mark.parametrize("spoil", [nothing, no_encodec, not_finite, another_model, cut_short])
def test_what_cannot_be_used_is_unhealthy_with_the_reason(spoil: Any, store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    if spoil is not nothing:
        tiny_tracks.write(folder)
    reason = spoil(folder)

    with process(folder, tmp_path / "log") as server:
        pings = [server.settled(), server.ask("GET", "/ping")]
        asked = server.ask("POST", "/invocations", clip(store))
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0
        (told,) = (event for event in server.events() if event["message"] == "not loaded")

    for answer in (*pings, asked):
        error = answer.json()["error"]
        assert (answer.status, error["code"], error["transient"]) == (503, "unusable", False)
        assert reason in error["detail"]
    assert (told["level"], told["reason"]) == ("ERROR", pings[0].json()["error"]["detail"])


def test_a_pack_whose_weights_give_no_sound_is_unhealthy(track_packs: Folders, tmp_path: Path) -> None:
    folder = shutil.copytree(track_packs(), tmp_path / "pack")
    weights = folder / "cascade.weights"
    weights.write_bytes(b"\xff" * weights.stat().st_size)  # not a number, every one

    with process(folder, tmp_path / "log") as server:
        answer = server.settled()

    assert answer.status == 503
    assert "not finite" in answer.json()["error"]["detail"]


def test_without_a_folder_it_is_where_sagemaker_puts_one() -> None:
    assert _parse([]).folder == SAGEMAKER == Path("/opt/ml/model")
