"""Starts and stops the emulator's process. Knows its environment and its pipe, not what is deployed."""

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local import HOST, REGION, ROOT, LocalError

KEY = "test"
START_SECONDS = 60
STOP_SECONDS = 20


class Emulator:
    """The emulated cloud on `port + 1`, the product's address on `port`, their state in `directory`.

    containers: where the model containers of SageMaker endpoints answer, by patterns of endpoint names.
    """

    def __init__(
        self,
        python: Path,
        directory: Path,
        port: int,
        *,
        auth: bool = False,
        containers: Mapping[str, str] | None = None,
    ) -> None:
        self.python, self.directory, self.port, self.auth = python, directory, port, auth
        self.containers = dict(containers or {})
        self.log = directory / "emulator.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._clients: dict[str, Any] = {}

    @property
    def endpoint(self) -> str:
        return f"http://{HOST}:{self.port + 1}"

    def start(self) -> None:
        """Raises LocalError when the process does not come up."""
        shutil.rmtree(self._temporary, ignore_errors=True)
        self._temporary.mkdir(parents=True)
        self._readdress()
        with self.log.open("wb") as log:
            # A session of its own: Ctrl-C reaches only us, and the whole group can be ended together.
            self._process = subprocess.Popen(
                [self.python, "-m", "local.front"],
                cwd=ROOT,
                env=self.environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self._answer(START_SECONDS)

    def route(self, *, api: str, site: str) -> None:
        """Send `/v1/*` to this REST API and everything else to this distribution's domain."""
        self._command(routes={"api": api, "site": site})

    def save(self) -> None:
        """Write all state now; while running, only jobs, messages and secrets are written by themselves."""
        self._command(save=True)

    def expect_alive(self) -> None:
        """Raises LocalError once the process has ended by itself."""
        code = self._running.poll()
        if code is not None:
            raise LocalError(f"The emulator ended by itself with code {code}; see {self.log}")

    def stop(self) -> None:
        """End the process and everything it started, after it has written its state."""
        if self._process is None:
            return
        process, self._process = self._process, None
        while self._clients:
            self._clients.popitem()[1].close()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
        finally:
            _end_group(process.pid)
            shutil.rmtree(self._temporary, ignore_errors=True)

    def client(self, service: str) -> Any:
        """A boto3 client of the emulated cloud, as its root user; no proxy or AWS profile plays a part."""
        if service not in self._clients:
            session: Any = boto3.Session(KEY, KEY, region_name=REGION)
            config = Config(proxies={}, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
            self._clients[service] = session.client(service, endpoint_url=self.endpoint, config=config)
        return self._clients[service]

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise LocalError("The emulator is not running.")
        return self._process

    @property
    def _temporary(self) -> Path:
        return self.directory / "tmp"

    def environment(self) -> dict[str, str]:
        """Scrubbed: functions inherit it whole, and must see neither your AWS account nor your settings."""
        state = self.directory / "state"
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": str(self._temporary),
            "TMPDIR": str(self._temporary),
            # Assets stay as they were built; their byte code is compiled once for every state's folder, not
            # at every cold start.
            "PYTHONPYCACHEPREFIX": str(ROOT / ".local" / "bytecode"),
            "CADENZA_PORT": str(self.port),
            "CADENZA_CONTAINERS": json.dumps(self.containers),
            "GATEWAY_PORT": str(self.port + 1),
            "BIND_HOST": HOST,
            "MINISTACK_HOST": HOST,
            "AUTH": str(self.auth).lower(),
            "PERSIST_STATE": "1",
            "STATE_DIR": str(state),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(state / "s3"),
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
            # Not the emulator's level, and not silence: it waits 50 ms for a function that logs nothing.
            "POWERTOOLS_LOG_LEVEL": "INFO",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": KEY,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def _readdress(self) -> None:
        """The state knows its queues by URL: after a change of port, no function would find its messages."""
        state = self.directory / "state"
        state.mkdir(parents=True, exist_ok=True)
        marker = state / "endpoint"
        former = marker.read_text() if marker.exists() else self.endpoint
        if former != self.endpoint:
            for file in state.glob("*.json"):
                file.write_text(file.read_text().replace(f"{former}/", f"{self.endpoint}/"))
        marker.write_text(self.endpoint)

    def _command(self, **command: object) -> None:
        pipe = self._running.stdin
        if pipe is None:
            raise LocalError("The emulator has no command pipe.")
        pipe.write(json.dumps(command).encode() + b"\n")
        pipe.flush()
        self._answer(START_SECONDS)

    def _answer(self, seconds: float) -> None:
        pipe = self._running.stdout
        readable = pipe is not None and select.select([pipe], [], [], seconds)[0]
        if pipe is None or not readable or not pipe.readline():
            raise LocalError(f"The emulator did not come up; {self.log} ends with: {self._last_words()}")

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "(nothing)"


def check_free(port: int) -> None:
    """Raises LocalError when something listens on this port of the loopback address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise LocalError(
                f"Port {port} is in use; pick another, for example `make run PORT=4700`."
            ) from None


def free_pair() -> int:
    """A port that is free together with its successor."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind((HOST, 0))
            port = int(first.getsockname()[1])
            try:
                second.bind((HOST, port + 1))
            except (OSError, OverflowError):
                continue
            return port


def _end_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
