"""InvokeEndpointAsync: requests wait in a queue until the endpoint has a turn for them.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpointAsync.html. The queue is
part of the state that outlives the process: what was not finished is begun again.
"""

import asyncio
import base64
import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict
from typing import Any

from local.sagemaker.account import Account
from local.sagemaker.answers import Answer, invalid, too_long
from local.sagemaker.endpoints import Asynchronous, Endpoint, Endpoints
from local.sagemaker.inference import EXPIRED, Failure, Request, fail, infer

MOST_INLINE_BYTES = 128_000
PREFIX = "x-amzn-sagemaker-"
HEADERS = {  # as the caller says it → as the container reads it
    f"{PREFIX}content-type": "content-type",
    f"{PREFIX}accept": "accept",
    f"{PREFIX}custom-attributes": "x-amzn-sagemaker-custom-attributes",
}

logger = logging.getLogger("sagemaker")


class Queue:
    """`address` says where an endpoint's container answers, None while there is none; `account` is what a
    role may do elsewhere.

    Not thread-safe: everything but `state` belongs to the event loop.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        account: Callable[[str], Account],
        address: Callable[[str], str | None],
        threads: Executor,
    ) -> None:
        self._endpoints, self._account, self._address, self._threads = endpoints, account, address, threads
        self._waiting: dict[str, Request] = {}
        self._turns: dict[tuple[str, int], asyncio.Semaphore] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def state(self) -> list[dict[str, Any]]:
        return [asdict(request) for request in list(self._waiting.values())]

    def restore(self, state: Sequence[Mapping[str, Any]]) -> None:
        self._waiting = {each["output"]: Request(**each) for each in state}

    def resume(self) -> None:
        """Begin again what was restored."""
        for request in self._waiting.values():
            self._begin(request)

    def suspend(self) -> None:
        """Leave the unfinished to the next process: what fails from now on is no request's fault."""
        for task in self._tasks:
            task.cancel()

    def accept(self, endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> Answer:
        """Raises Refusal as SageMaker would."""
        if endpoint.asynchronous is None:
            raise invalid(f"Endpoint {endpoint.name} is not asynchronous: call InvokeEndpoint.")
        request = _request(endpoint.name, endpoint.asynchronous, headers, body)
        self._waiting[request.output] = request
        self._begin(request)
        told = {"Content-Type": "application/json", "X-Amzn-SageMaker-OutputLocation": request.output}
        if request.failure is not None:
            told["X-Amzn-SageMaker-FailureLocation"] = request.failure
        return 202, told, b'{"InferenceId":"%s"}' % request.inference_id.encode()

    def _begin(self, request: Request) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, request: Request) -> None:
        endpoint = self._endpoints.find(request.endpoint)
        try:
            if endpoint is not None and endpoint.asynchronous is not None:
                await self._infer(request, endpoint, endpoint.asynchronous)
        except Exception:
            logger.exception("%s was given up", request.inference_id)
        del self._waiting[request.output]

    async def _infer(self, request: Request, endpoint: Endpoint, rules: Asynchronous) -> None:
        address = self._address(request.endpoint) or ""
        turn = self._turn(request.endpoint, rules.concurrency if address else 0)
        call, account = asyncio.get_running_loop().run_in_executor, self._account(endpoint.role)
        try:
            await asyncio.wait_for(turn.acquire(), max(0.0, request.expires - time.time()))
        except TimeoutError:
            expired = Failure(EXPIRED, status="Expired")
            await call(self._threads, fail, request, rules, expired, account)
            return
        try:
            await call(self._threads, infer, request, rules, address, account)
        finally:
            turn.release()

    def _turn(self, endpoint: str, concurrency: int) -> asyncio.Semaphore:
        return self._turns.setdefault((endpoint, concurrency), asyncio.Semaphore(concurrency))


def _request(endpoint: str, rules: Asynchronous, headers: Mapping[str, str], body: bytes) -> Request:
    def said(name: str) -> str | None:
        return headers.get(PREFIX + name)

    location = said("inputlocation")
    if (location is None) == (not body):
        raise invalid("A request has either an InputLocation or a Body.")
    if len(body) > MOST_INLINE_BYTES:
        raise too_long(MOST_INLINE_BYTES)
    if location is not None and not location.startswith(("s3://", "https://")):
        raise invalid(f"InputLocation {location} is no address in S3.")
    now, stem = time.time(), str(uuid.uuid4())
    inference_id = said("inference-id") or str(uuid.uuid4())
    folder = "/".join(filter(None, (rules.output, (said("s3outputpathextension") or "").strip("/"))))
    return Request(
        inference_id=inference_id,
        endpoint=endpoint,
        location=location,
        inline=None if location else base64.b64encode(body).decode(),
        output=f"{folder}/{said('filename') or f'{stem}.out'}",
        failure=None if rules.failure is None else f"{rules.failure}/{stem}-error.out",
        received=now,
        expires=now + _seconds("RequestTTLSeconds", said("requestttlseconds"), 60, 21600, 21600),
        seconds=_seconds("InvocationTimeoutSeconds", said("invocationtimeoutseconds"), 1, 3600, 900),
        headers=_handed_on(headers) | {"x-amzn-sagemaker-inference-id": inference_id},
    )


def _seconds(name: str, given: str | None, least: int, most: int, default: int) -> int:
    seconds = default if given is None else int(given)
    if not least <= seconds <= most:
        raise invalid(f"{name} is {least} to {most}, not {seconds}.")
    return seconds


def _handed_on(headers: Mapping[str, str]) -> dict[str, str]:
    return {handed: headers[said] for said, handed in HEADERS.items() if said in headers}
