"""The model container on this machine, without a container: its own server in its own environment.

Knows its commands and `GET /ping`. Must not know what the stacks make of it.
"""

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from local import HOST, ROOT, LocalError
from local.emulator import check_free
from local.environments import ENGINE, Say
from local.weights import last_line

START_SECONDS = 300.0
TELL_SECONDS = 5.0
STOP_SECONDS = 5.0
QUEUE = 256  # a laptop's queue is its user's own

ExpectAlive = Callable[[], None]
"""Raises LocalError once the server has ended by itself."""


@dataclass(frozen=True)
class Container:
    folder: Path
    port: int
    say: Say

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / "container.log"

    def start(self, running: ExitStack, packed: Path) -> ExpectAlive:
        """Serve what is packed there until `running` closes; return when a song could start.

        Raises LocalError.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        check_free(self.port)
        python = ENGINE.ensure(self.say)
        self._compile(python)
        process = self._serve(python, packed)
        running.callback(_stop, process)
        expect_alive = partial(self._expect_alive, process)
        self._wait(expect_alive)
        return expect_alive

    def _expect_alive(self, process: "subprocess.Popen[bytes]") -> None:
        code = process.poll()
        if code is not None and code < 0:
            raise LocalError(f"The model's server was killed by signal {-code}; see {self.log}")
        if code is not None:
            raise LocalError(f"The model's server ended: {_reason(self.log)}")

    def _compile(self, python: Path) -> None:
        """Without a compiler the engine falls back on its portable decoder."""
        self.say("Compiling the engine's kernels, unless they are there …")
        command = [str(python), "-m", "model_container.native.build"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        told = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
        if done.returncode != 0:
            self.say("  not compiled; the engine goes without: " + (told[-1] if told else "no reason given"))
        elif told and not told[-1].endswith(".so"):
            self.say(f"  {told[-1]}")

    def _serve(self, python: Path, packed: Path) -> "subprocess.Popen[bytes]":
        command = [str(python), "-m", "model_container.serve", str(packed)]
        options = ["--host", HOST, "--port", str(self.port), "--queue", str(QUEUE)]
        with self.log.open("wb") as log:
            # A session of its own: Ctrl-C reaches only us, who end it.
            return subprocess.Popen(
                [*command, *options],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _wait(self, expect_alive: ExpectAlive) -> None:
        self.say("Loading the model …")
        started = told = time.monotonic()
        while (reason := self._ping()) is not None:
            now = time.monotonic()
            expect_alive()
            if now - started > START_SECONDS:
                raise LocalError(f"The model's server is not healthy ({reason}); see {self.log}")
            if now - told > TELL_SECONDS:
                self.say(f"  {now - started:.0f} s, {reason}")
                told = now
            time.sleep(0.2)
        self.say(f"Model ready ({time.monotonic() - started:.1f} s).")

    def _ping(self) -> str | None:
        """Why no song could start; None when one could. Raises LocalError when none ever will."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self.url}/ping", timeout=5):
                return None
        except urllib.error.HTTPError as error:
            with error:
                return _refusal(error.code, error.read())
        except OSError:
            return "it does not answer yet"


def _refusal(status: int, body: bytes) -> str:
    """What the server says at a ping. Raises LocalError if its model cannot be used."""
    try:
        told = json.loads(body)["error"]
        code, detail = told["code"], str(told["detail"])
    except (ValueError, KeyError, TypeError):
        return f"it answers {status}"
    if code == "unusable":
        raise LocalError(f"The model cannot be used: {detail}")
    return detail


def _reason(log: Path) -> str:
    """Why the server says that it ended; its lines are JSON."""
    line = last_line(log, "it did not say why")
    try:
        return str(json.loads(line)["reason"])
    except (ValueError, KeyError, TypeError):
        return line


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Songs that run are given up: their jobs begin again with the next run."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
