"""Waiting for work on threads, but not for ever, and not for nobody.

Knows asyncio and sockets. Must not know what is waited for.
"""

import asyncio
import socket
import sys
import time
from collections.abc import Awaitable
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request

from model_container.server.answers import DeadlineError

T = TypeVar("T")
STALL = 30.0  # seconds in which a reader that is still there has taken something


def limit_stalls(listener: socket.socket, seconds: float = STALL) -> None:
    """Have the connections that it accepts end when their reader takes nothing for so long, where the system
    can do that: no memory, and no end of the server, waits for a reader that does not read.
    """
    if sys.platform == "linux":
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(1000 * seconds))


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
