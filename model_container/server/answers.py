"""What goes wrong, in the wire contract's words.

Knows every error that a song may meet; this is the only table of them. Must not know routes.
"""

import logging
from collections.abc import Callable
from typing import NamedTuple

from pydantic import ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from model_container.engine.live import FailedError
from model_container.engine.places import ClosedError, FullError
from model_container.server.contract import Problem
from model_container.server.opening import LoadingError, UnusableError
from model_container.server.transfer import TransferError

logger = logging.getLogger(__name__)

RETRY_AFTER = 5  # seconds


class MalformedError(Exception):
    """The request's body is no JSON object."""


class TooLargeError(Exception):
    """The request's body is longer than any that makes sense."""


class DeadlineError(Exception):
    """The song took longer than it is wanted."""


class CanceledError(Exception):
    """The song was stopped."""


class _Kind(NamedTuple):
    status: int
    code: str
    transient: bool


KINDS: dict[type[Exception], _Kind] = {
    MalformedError: _Kind(400, "malformed", False),
    ValueError: _Kind(422, "invalid", False),
    TooLargeError: _Kind(413, "too_large", False),
    CanceledError: _Kind(409, "canceled", False),
    FailedError: _Kind(500, "failed", True),
    TransferError: _Kind(502, "transfer_failed", True),  # an address may have expired; a new one may do
    FullError: _Kind(503, "busy", True),
    ClosedError: _Kind(503, "stopping", True),
    LoadingError: _Kind(503, "loading", True),
    UnusableError: _Kind(503, "unusable", False),
    DeadlineError: _Kind(504, "deadline", True),
}
UNPLANNED = _Kind(500, "failed", True)


def problem(error: Exception) -> Problem:
    kind = _kind(error)
    detail = "The song could not be made." if kind is UNPLANNED else _detail(error)
    return Problem(code=kind.code, detail=detail, transient=kind.transient)


def answer(status: int, told: Problem) -> Response:
    headers = {"Retry-After": str(RETRY_AFTER)} if status == 503 else None
    return JSONResponse({"error": told.model_dump()}, status, headers)


def failed(_: Request, error: Exception) -> Response:
    if _kind(error) is UNPLANNED:
        logger.error("unplanned", exc_info=error)
    return answer(_kind(error).status, problem(error))


def _gone(_: Request, error: Exception) -> Response:
    return Response(status_code=499)  # nobody reads it; logs name it as the client's doing


HANDLERS: dict[type[Exception], Callable[[Request, Exception], Response]] = {
    **dict.fromkeys(KINDS, failed),
    ClientDisconnect: _gone,
    Exception: failed,
}


def _kind(error: Exception) -> _Kind:
    return next((KINDS[kind] for kind in type(error).__mro__ if kind in KINDS), UNPLANNED)


def _detail(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    told = (f"{'.'.join(map(str, each['loc'])) or 'the body'}: {each['msg']}" for each in error.errors())
    return "; ".join(told)
