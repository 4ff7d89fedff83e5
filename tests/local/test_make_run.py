"""`make run MODEL=… WEIGHTS=…` as a person runs it: one command, a song of the model, and Ctrl-C."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import pytest

from local import HOST, ROOT
from local.emulator import free_pair
from tests.local import tiny_models
from tests.local.caller import Caller
from tests.local.tiny_models import MUSICGEN

PATIENCE = 300  # seconds for a start, synthesis included


def test_one_command_plays_a_real_model_until_it_is_stopped(tmp_path: Path) -> None:
    weights, port = tiny_models.musicgen(tmp_path / "weights"), free_pair()
    told = tmp_path / "told.txt"
    with told.open("wb") as output:
        run = make("run", output, PORT=port, FOLDER=tmp_path / "state", MODEL=MUSICGEN, WEIGHTS=weights)
        try:
            wait_until_ready(run, told)
            with Caller(f"http://{HOST}:{port}/v1") as api:
                job = api.ended(api.make("a small tune", duration=1))
        finally:
            os.killpg(run.pid, signal.SIGINT)
            run.wait(60)

    assert (job["status"], job["backend"], job["model"]) == ("completed", "sagemaker", MUSICGEN)
    said = told.read_text()
    assert "for non-commercial use only" in said
    assert "Stopped." in said
    for each in (port, port + 1, port + 2):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((HOST, each), timeout=5)


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"MODEL": "musicgen-small"}, "MODEL=musicgen-small needs WEIGHTS=folder"),
        ({"MODEL": "musicgen-small", "WEIGHTS": "/nowhere"}, "WEIGHTS=/nowhere is no folder."),
        ({"MODEL": "cascade", "CHECKPOINT": "/nowhere.pt"}, "CHECKPOINT=/nowhere.pt is no file."),
    ],
)
def test_what_cannot_be_played_is_said_in_one_line_at_once(
    tmp_path: Path, named: dict[str, str], said: str
) -> None:
    told = tmp_path / "told.txt"
    with told.open("wb") as output:
        run = make("run", output, FOLDER=tmp_path / "state", **named)

    assert run.wait(60) != 0
    lines = [line for line in told.read_text().splitlines() if not line.startswith("make")]
    assert len(lines) == 1
    assert said in lines[0]


def make(target: str, output: IO[bytes], **variables: object) -> "subprocess.Popen[bytes]":
    """In a session of its own, so that a signal to all of it is Ctrl-C. Its Python is the tests' own."""
    named = [f"{name}={value}" for name, value in {"PYTHON": sys.executable, **variables}.items()]
    return subprocess.Popen(
        ["make", "--silent", target, *named],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def wait_until_ready(run: "subprocess.Popen[bytes]", told: Path) -> None:
    ends = time.monotonic() + PATIENCE
    while "Ready in" not in told.read_text():
        assert run.poll() is None, told.read_text()
        assert time.monotonic() < ends, told.read_text()
        time.sleep(0.1)
