"""The emulator's process: the emulated cloud on one port, the product's own address on the other.

Runs in the emulator's environment as `python -m local.front`. It stands in for what the cloud has around the
stacks: CloudFront's domain name, TLS, and a disk that outlives a crash; SageMaker it takes from
local/sagemaker, whom it answers from local/visitors, and imports nothing else of ours. Its parent holds the
other end of its standard input: one JSON command a line, and end of file means stop, so that it cannot
outlive its parent. It answers on standard output; logs go to standard error.

Private points of the emulator that it leans on (pinned, held by tests/local/test_emulator.py):
in `ministack.app` `app`, `AUTH`, `_build_persistence_save_dict` and `_wait_for_port`, in `ministack.core`
`persistence.save_all` and `iam_evaluator.pin_request_origin`.
"""

import asyncio
import json
import os
import re
import resource
import signal
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack import app as emulator
from ministack.core.iam_evaluator import pin_request_origin
from ministack.core.persistence import save_all

from local.sagemaker.registration import register
from local.sagemaker.service import SageMaker
from local.visitors import unwelcome

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

HOST = "127.0.0.1"
SAVE_SECONDS = 5.0
WRITTEN_BETWEEN_DEPLOYMENTS = ("dynamodb", "sqs", "secretsmanager", "sagemaker")
AWS_SOURCE = re.compile(rb"https://[^\s;]*amazonaws\.com[^\s;]*")


class Front:
    """An ASGI application around the emulator's, which tells its two ports apart."""

    def __init__(self, port: int, cloud_port: int, auth: bool) -> None:
        self.port, self.cloud = port, f"http://{HOST}:{cloud_port}".encode()
        self.auth = auth
        self.api: str | None = None
        self.site: str | None = None
        self.touched = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await emulator.app(scope, receive, send)
        elif unwelcome(scope, self.port):
            await _answer(send, 403, b"This is a laptop's own: no other page may ask here.\n")
        elif scope["server"][1] != self.port:
            await self._cloud(scope, receive, send)
        elif self.api is None or self.site is None:
            await _answer(send, 503, b"Cadenza is still starting.\n")
        elif scope["path"] == "/v1" or scope["path"].startswith("/v1/"):
            await emulator.app(self._to_api(scope), receive, send)
        else:
            await emulator.app(self._to_site(scope), receive, self._allowing_cloud(send))

    async def _cloud(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(("/_ministack/reset", "/_ministack/config")):
            # Unauthenticated: any page open in a browser on this machine could wipe the state.
            await _answer(send, 403, b"Use `make reset`.\n")
            return
        self.touched = True
        # Bucket and queue policies deny what is not TLS. The loopback interface is as private as TLS.
        secured = _with_headers(scope, {b"x-forwarded-proto": b"https"}) if self.auth else scope
        await emulator.app(secured, receive, send)

    def _to_api(self, scope: Scope) -> Scope:
        self.touched = True
        prefix = f"/_aws/execute-api/{self.api}"
        raw = prefix.encode() + (scope.get("raw_path") or scope["path"].encode())
        forwarded = {b"x-forwarded-proto": b"http", b"x-forwarded-for": HOST.encode()}
        return {**_with_headers(scope, forwarded), "path": prefix + scope["path"], "raw_path": raw}

    def _to_site(self, scope: Scope) -> Scope:
        pin_request_origin(HOST, secure_transport=True)
        return _with_headers(scope, {b"x-forwarded-proto": b"https", b"host": (self.site or "").encode()})

    def _allowing_cloud(self, send: Send) -> Send:
        """Wherever the page's policy names an AWS origin, it must also name the emulated one."""

        async def answer(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [self._allow(*header) for header in message["headers"]]}
            await send(message)

        return answer

    def _allow(self, name: bytes, value: bytes) -> tuple[bytes, bytes]:
        if name.lower() != b"content-security-policy":
            return name, value
        return name, AWS_SOURCE.sub(lambda match: match[0] + b" " + self.cloud, value)


def _with_headers(scope: Scope, changed: dict[bytes, bytes]) -> Scope:
    kept = [(name, value) for name, value in scope["headers"] if name.lower() not in changed]
    return {**scope, "headers": [*kept, *changed.items()]}


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _tell(**event: object) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


async def _obey(front: Front, stop: asyncio.Event) -> None:
    """Follow the parent's commands until it closes the pipe or dies."""
    pipe = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(pipe), sys.stdin)
    while line := await pipe.readline():
        command = json.loads(line)
        if "routes" in command:
            front.api, front.site = command["routes"]["api"], command["routes"]["site"]
        if command.get("save"):
            save_all(emulator._build_persistence_save_dict())
        _tell(done=True)
    stop.set()


async def _save_often(front: Front) -> None:
    """Without this, a crash would lose every job since the last clean stop."""
    while True:
        await asyncio.sleep(SAVE_SECONDS)
        if front.touched:
            front.touched = False
            states = emulator._build_persistence_save_dict()
            save_all({name: states[name] for name in WRITTEN_BETWEEN_DEPLOYMENTS if name in states})


async def _announce(stop: asyncio.Event, port: int, sagemaker: SageMaker) -> None:
    await emulator._wait_for_port(port)
    sagemaker.resume()
    _tell(ready=True)
    await stop.wait()
    sagemaker.suspend()


async def _serve(front: Front, cloud_port: int, sagemaker: SageMaker) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    config = Config()
    config.bind = [f"{HOST}:{front.port}", f"{HOST}:{cloud_port}"]
    config.keep_alive_timeout, config.graceful_timeout = 75, 0.5
    config.loglevel = "WARNING"
    tasks = [asyncio.create_task(work) for work in (_obey(front, stop), _save_often(front))]
    tasks.append(asyncio.create_task(_announce(stop, front.port, sagemaker)))
    await serve(front, config, shutdown_trigger=stop.wait)
    for task in tasks:
        task.cancel()


def _end() -> None:
    """Leave at once, with every Lambda worker: a running invocation would hold us for minutes."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGTERM)
    os._exit(0)


def main() -> None:
    port, cloud_port = int(os.environ["CADENZA_PORT"]), int(os.environ["GATEWAY_PORT"])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    front = Front(port, cloud_port, emulator.AUTH)
    asyncio.run(_serve(front, cloud_port, register(os.environ)), debug=False)


if __name__ == "__main__":
    try:
        main()
    finally:
        _end()
