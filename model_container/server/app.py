"""The routes of the wire contract (docs/wire.md), for SageMaker and for plain HTTP.

Knows HTTP. Must not know how music is made or delivered.
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

from model_container.server.answers import (
    HANDLERS,
    CanceledError,
    DeadlineError,
    MalformedError,
    TooLargeError,
    answer,
)
from model_container.server.contract import VERSION, Cancel, Invocation, Problem
from model_container.server.metrics import numbers
from model_container.server.opening import Opening
from model_container.server.songs import Songs
from model_container.server.studio import Performance
from model_container.server.waiting import before

MAX_BODY = 64 << 10  # bytes
MAX_PIECE = 64 << 10  # bytes
THREADS = 1024  # at most: whoever waits for music holds one, and so does each look at it
UNKNOWN = Problem(code="unknown", detail="No such song.", transient=False)
BARRED = Problem(code="barred", detail="No web page may ask here.", transient=False)


class App:
    """deadline: seconds that a piece of work may take when its request names none."""

    def __init__(self, opening: Opening, deadline: float) -> None:
        self._opening, self._deadline = opening, deadline
        self._songs = Songs()

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
        return JSONResponse({"status": "ok", **vars(self._opening.studio().about)})

    async def metrics(self, _: Request) -> Response:
        return JSONResponse(numbers(self._opening.studio().stats()))

    async def invoke(self, request: Request) -> Response:
        arrived = time.monotonic()
        if "origin" in request.headers:  # which browsers alone send, and on behalf of any website
            return answer(403, BARRED)
        values = await _values(request)
        if isinstance(values, dict) and "cancel" in values:
            return JSONResponse({"canceled": self._songs.stop(Cancel.model_validate(values).cancel)})
        studio = self._opening.studio()
        invocation = studio.invocation.model_validate(values)
        if _prefers_async(request):
            invocation = invocation.model_copy(update={"respond_async": True})
        until = arrived + (invocation.deadline_s or self._deadline)
        if invocation.output_url is not None:
            return await self._deliver(request, invocation, until)
        return await self._play(request, studio.begin(invocation), until)

    async def check(self, request: Request) -> Response:
        delivery = self._songs.find(request.path_params["id"])
        return JSONResponse(delivery.state().model_dump()) if delivery else answer(404, UNKNOWN)

    async def cancel(self, request: Request) -> Response:
        self._songs.stop(request.path_params["id"])
        return Response(status_code=204)

    async def _deliver(self, request: Request, invocation: Invocation, until: float) -> Response:
        """Answers with the state: at once if the client prefers that, else when the audio is there."""
        id, studio = invocation.id or uuid.uuid4().hex, self._opening.studio()
        delivery, new = await asyncio.to_thread(self._songs.start, studio, invocation, id, until)
        if invocation.respond_async:
            # Who asks by body speaks through a carrier, which may take any status but 200 for a fault.
            return JSONResponse(delivery.state().model_dump(), 202 if _prefers_async(request) else 200)
        try:
            await before(None, asyncio.to_thread(delivery.wait), request)
        finally:
            if new:  # whoever asks for a song that another began does not end it by leaving
                delivery.stop(CanceledError("Nobody waited for the music any more."))
        return JSONResponse(delivery.state().model_dump())

    async def _play(self, request: Request, performance: Performance, until: float) -> Response:
        """Answers with the audio. The answer begins late enough for a failure until then to be told."""
        pieces = filter(None, performance.stream())
        whole = not performance.invocation.stream
        begun = asyncio.to_thread(b"".join, pieces) if whole else asyncio.to_thread(next, pieces, b"")
        try:
            first = await before(until, begun, request)
        except BaseException:
            performance.stop()
            raise
        headers = {
            "Content-Length": str(performance.size),
            "Cadenza-Seed": str(performance.invocation.seed),
        }
        return _Sound(performance, _body(first, pieces), until, headers)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        threads = ThreadPoolExecutor(THREADS, thread_name_prefix="songs")
        asyncio.get_running_loop().set_default_executor(threads)
        yield
        await asyncio.to_thread(self._songs.finish)


class _Sound(StreamingResponse):
    """A performance that is sent until a moment of time.monotonic(), and whose place is left then."""

    def __init__(
        self, performance: Performance, body: AsyncIterator[bytes], until: float, headers: dict[str, str]
    ) -> None:
        super().__init__(body, media_type="audio/wav", headers=headers)
        self._performance, self._until = performance, until

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(max(self._until - time.monotonic(), 0)):
                await super().__call__(scope, receive, send)
        except TimeoutError as error:
            raise DeadlineError("The song was not made and heard in time.") from error
        finally:  # also when the client has gone
            self._performance.stop()


async def _body(first: bytes, pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """No more at a time than a reader should take in one go: what is sent lies in memory until it is read."""
    piece = first
    while piece:
        for start in range(0, len(piece), MAX_PIECE):
            yield piece[start : start + MAX_PIECE]
        piece = await asyncio.to_thread(next, pieces, b"")


def _prefers_async(request: Request) -> bool:
    return "respond-async" in request.headers.get("prefer", "")


async def _values(request: Request) -> object:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise TooLargeError(f"The request has more than {MAX_BODY} bytes.")
    try:
        values: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"The request is no JSON: {error}") from error
    return values


def _versioned(app: ASGIApp) -> ASGIApp:
    """Every answer names the version of the contract."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"cadenza-wire", VERSION.encode())]
            await send(message)

        await app(scope, receive, named)

    return wrapped
