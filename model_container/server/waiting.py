"""Waiting for work on threads, but not for ever, and not for nobody.

Knows asyncio. Must not know what is waited for.
"""

import asyncio
import time
from collections.abc import Awaitable
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request

from model_container.server.answers import DeadlineError

T = TypeVar("T")


async def before(deadline: float | None, work: Awaitable[T], request: Request | None = None) -> T:
    """Await work until a moment of time.monotonic(), and while the request's client is there, if given.

    Raises DeadlineError or ClientDisconnect; the caller then stops the work, which goes on.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_hung_up(request)) if request else None
    waited = {task, gone} if gone else {task}
    left = None if deadline is None else max(deadline - time.monotonic(), 0)
    try:
        await asyncio.wait(waited, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        if gone and gone.done():
            raise ClientDisconnect
        raise DeadlineError("The song was not made in time.")
    finally:
        for each in waited:
            each.cancel()


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
