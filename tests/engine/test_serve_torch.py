"""The server as a GPU's image starts it: a pack in 16 bits, played by PyTorch; here on the CPU."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from model_container.pack import pack
from tests.engine import tiny
from tests.engine.serving import samples

START_SECONDS = 60.0
RATE, SECONDS = 32_000, 1.2
ASKED = {"prompt": "a tune", "duration": SECONDS, "seed": 7}


@pytest.fixture(scope="module", params=["text", "stereo", "melody", "text --dtype bf16"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    kind, *options = request.param.split()
    folder = tmp_path_factory.mktemp(kind)
    pack(tiny.write(folder / "published", kind), folder / "packed", "fp16")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        "-m",
        "model_container.serve",
        folder / "packed",
        "--host",
        "127.0.0.1",
        "--port",
        port,
        *options,
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, *map(str, command)], stderr=log)
    try:
        _wait(process, port, folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=START_SECONDS) in (0, -signal.SIGTERM)


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            if urllib3.request("GET", f"http://127.0.0.1:{port}/ping", retries=False).status == 200:
                return
        except urllib3.exceptions.HTTPError:
            pass  # it does not listen yet
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def test_a_song_is_as_long_as_asked_and_the_same_for_the_same_seed(url: str) -> None:
    first, second = (
        urllib3.request("POST", f"{url}/invocations", json=ASKED, timeout=START_SECONDS) for _ in range(2)
    )

    assert first.status == 200, first.data
    assert first.data == second.data
    assert samples(first.data).shape[-1] == round(SECONDS * RATE)


def test_another_seed_is_another_song(url: str) -> None:
    one, other = (
        urllib3.request(
            "POST", f"{url}/invocations", json={**ASKED, "seed": seed}, timeout=START_SECONDS
        ).data
        for seed in (1, 2)
    )

    assert one != other
