"""The routes: SageMaker's /ping and /invocations, songs that nobody waits for, and metrics.

Knows HTTP. Must not know how songs are made or delivered.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from model_container.server.answers import HANDLERS, TooLargeError, answer
from model_container.server.contract import Invocation
from model_container.server.metrics import exposition
from model_container.server.songs import Songs
from model_container.server.studio import Performance, Studio
from model_container.server.waiting import before

logger = logging.getLogger(__name__)

MAX_BODY = 64 << 10  # bytes


class App:
    """timeout: seconds that a song may take when its request names none."""

    def __init__(self, studio: Studio, timeout: float) -> None:
        self._studio, self._timeout = studio, timeout
        self._songs = Songs(studio)

    def asgi(self) -> Starlette:
        routes = [
            Route("/ping", self.ping),
            Route("/invocations", self.invoke, methods=["POST"]),
            Route("/songs", self.start, methods=["POST"]),
            Route("/songs/{id}", self.check, methods=["GET"]),
            Route("/songs/{id}", self.cancel, methods=["DELETE"]),
            Route("/metrics", self.metrics),
        ]
        return Starlette(routes=routes, exception_handlers=HANDLERS, lifespan=self._lifespan)

    async def ping(self, _: Request) -> Response:
        return JSONResponse({"status": "ok", **self._studio.engine.stats().counts()})

    async def metrics(self, _: Request) -> Response:
        return PlainTextResponse(exposition(self._studio.engine.stats()))

    async def invoke(self, request: Request) -> Response:
        """Answers when the song is put at its address, or, without one, with the song as it is made."""
        invocation = await _invocation(request)
        deadline = time.monotonic() + (invocation.timeout or self._timeout)
        performance = await asyncio.to_thread(self._studio.begin, invocation)
        if invocation.output_url is None:
            return await self._stream(request, performance, deadline)
        try:
            delivery = asyncio.to_thread(self._studio.deliver, performance)
            summary = await before(deadline, delivery, request)
        finally:
            performance.live.stop()
        assert summary is not None  # it is None for a stopped song, and that happened here at the earliest
        logger.info("delivered", extra={"song": summary.model_dump()})
        return JSONResponse(summary.model_dump())

    async def start(self, request: Request) -> Response:
        """Answers at once."""
        invocation = await _invocation(request)
        status, new = await asyncio.to_thread(self._songs.start, invocation, self._timeout)
        return JSONResponse(status.model_dump(), 202 if new else 200)

    async def check(self, request: Request) -> Response:
        status = self._songs.check(request.path_params["id"])
        return JSONResponse(status.model_dump()) if status else answer(404, "not_found", "No such song.")

    async def cancel(self, request: Request) -> Response:
        self._songs.cancel(request.path_params["id"])
        return Response(status_code=204)

    async def _stream(self, request: Request, performance: Performance, deadline: float) -> Response:
        """The answer begins with the first piece, so that a failure until then is told as one."""
        pieces = self._studio.stream(performance)
        try:
            first = await before(deadline, asyncio.to_thread(next, pieces, b""), request)
        except BaseException:
            performance.live.stop()
            raise
        headers = {
            "Content-Length": str(self._studio.size(performance)),
            "X-Seed": str(performance.invocation.seed),
        }
        body = self._body(performance, first, pieces, deadline)
        return StreamingResponse(body, media_type="audio/wav", headers=headers)

    async def _body(
        self, performance: Performance, first: bytes, pieces: Iterator[bytes], deadline: float
    ) -> AsyncIterator[bytes]:
        piece = first
        try:
            while piece:
                yield piece
                piece = await before(deadline, asyncio.to_thread(next, pieces, b""))
            logger.info("streamed", extra={"song": performance.invocation.id})
        finally:  # also when the client has gone
            performance.live.stop()

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        # Each song that is waited for holds a thread, and so does each that is being looked at.
        threads = ThreadPoolExecutor(2 * self._studio.engine.capacity + 4, thread_name_prefix="songs")
        asyncio.get_running_loop().set_default_executor(threads)
        yield
        await asyncio.to_thread(self._songs.finish)


async def _invocation(request: Request) -> Invocation:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise TooLargeError(f"The request has more than {MAX_BODY} bytes.")
    return Invocation.model_validate_json(bytes(body))
