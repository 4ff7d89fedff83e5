"""The routes of the wire contract (docs/wire.md), for SageMaker and for plain HTTP.

Knows HTTP. Must not know how songs are made or delivered.
"""

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from model_container.engine.live import ClosedError
from model_container.server.answers import HANDLERS, CanceledError, MalformedError, TooLargeError, answer
from model_container.server.contract import VERSION, Invocation, Problem
from model_container.server.metrics import numbers
from model_container.server.songs import Songs
from model_container.server.studio import Performance, Studio
from model_container.server.waiting import before

MAX_BODY = 64 << 10  # bytes
UNKNOWN = Problem(code="unknown", detail="No such song.", transient=False)


class App:
    """deadline: seconds that a song may take when its request names none."""

    def __init__(self, studio: Studio, deadline: float) -> None:
        self._studio, self._deadline = studio, deadline
        self._songs = Songs(studio, deadline)

    def asgi(self) -> ASGIApp:
        routes = [
            Route("/ping", self.ping),
            Route("/metrics", self.metrics),
            Route("/invocations", self.invoke, methods=["POST"]),
            Route("/invocations/{id}", self.check, methods=["GET"]),
            Route("/invocations/{id}", self.cancel, methods=["DELETE"]),
        ]
        app = Starlette(routes=routes, exception_handlers=HANDLERS, lifespan=self._lifespan)
        return _versioned(app)

    async def ping(self, _: Request) -> Response:
        if self._studio.engine.closed:
            raise ClosedError("The engine is stopping.")
        return JSONResponse({"status": "ok"})

    async def metrics(self, _: Request) -> Response:
        return JSONResponse(numbers(self._studio.engine.stats()))

    async def invoke(self, request: Request) -> Response:
        invocation = await _invocation(request)
        if invocation.output_url is not None:
            return await self._deliver(request, invocation)
        deadline = time.monotonic() + (invocation.deadline_s or self._deadline)
        performance = await asyncio.to_thread(self._studio.begin, invocation)
        return await self._play(request, performance, deadline)

    async def check(self, request: Request) -> Response:
        delivery = self._songs.find(request.path_params["id"])
        return JSONResponse(self._songs.state(delivery).model_dump()) if delivery else answer(404, UNKNOWN)

    async def cancel(self, request: Request) -> Response:
        if delivery := self._songs.find(request.path_params["id"]):
            delivery.stop(CanceledError("The song was stopped."))
        return Response(status_code=204)

    async def _deliver(self, request: Request, invocation: Invocation) -> Response:
        """Answers with the song's state: at once if the client prefers that, else when the audio is there."""
        id = invocation.id or uuid.uuid4().hex
        delivery, new = await asyncio.to_thread(self._songs.start, invocation, id)
        if "respond-async" in request.headers.get("prefer", ""):
            return JSONResponse(self._songs.state(delivery).model_dump(), 202)
        try:
            await before(None, asyncio.to_thread(delivery.wait), request)
        finally:
            if new:  # whoever asks for a song that another began does not end it by leaving
                delivery.stop(CanceledError("Nobody waited for the song any more."))
        return JSONResponse(self._songs.state(delivery).model_dump())

    async def _play(self, request: Request, performance: Performance, deadline: float) -> Response:
        """Answers with the audio. The answer begins late enough for a failure until then to be told."""
        pieces = self._studio.stream(performance)
        whole = not performance.invocation.stream
        begun = asyncio.to_thread(b"".join, pieces) if whole else asyncio.to_thread(next, pieces, b"")
        try:
            first = await before(deadline, begun, request)
        except BaseException:
            performance.live.stop()
            raise
        headers = {
            "Content-Length": str(self._studio.size(performance)),
            "Cadenza-Seed": str(performance.invocation.seed),
        }
        body = _body(performance, first, pieces, deadline)
        return StreamingResponse(body, media_type="audio/wav", headers=headers)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        # Each song that is waited for holds a thread, and so does each that is being looked at.
        threads = ThreadPoolExecutor(2 * self._studio.engine.capacity + 4, thread_name_prefix="songs")
        asyncio.get_running_loop().set_default_executor(threads)
        yield
        await asyncio.to_thread(self._songs.finish)


async def _body(
    performance: Performance, first: bytes, pieces: Iterator[bytes], deadline: float
) -> AsyncIterator[bytes]:
    piece = first
    try:
        while piece:
            yield piece
            piece = await before(deadline, asyncio.to_thread(next, pieces, b""))
    finally:  # also when the client has gone
        performance.live.stop()


async def _invocation(request: Request) -> Invocation:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise TooLargeError(f"The request has more than {MAX_BODY} bytes.")
    try:
        values = json.loads(body)
    except ValueError as error:
        raise MalformedError(f"The request is no JSON: {error}") from error
    return Invocation.model_validate(values)


def _versioned(app: ASGIApp) -> ASGIApp:
    """Every answer names the version of the contract."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"cadenza-wire", VERSION.encode())]
            await send(message)

        await app(scope, receive, named)

    return wrapped
