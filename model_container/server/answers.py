"""What goes wrong, as HTTP says it: problem details (RFC 9457).

Knows HTTP and every error that a route may meet; this is the only table of them. Must not know routes.
"""

import logging
from collections.abc import Callable, Mapping

from pydantic import ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from model_container.engine.live import ClosedError, FailedError, FullError
from model_container.server.transfer import TransferError

logger = logging.getLogger(__name__)

RETRY_AFTER = 5  # seconds
TITLES = {
    400: "Bad request",
    404: "Not found",
    413: "Too large",
    500: "Internal error",
    502: "Bad gateway",
    503: "Unavailable",
    504: "Too slow",
}


class TooLargeError(Exception):
    """The request's body is longer than any that makes sense."""


class SlowError(Exception):
    """The song took longer than it is wanted."""


# Error → status and code.
PROBLEMS: Mapping[type[Exception], tuple[int, str]] = {
    ValueError: (400, "invalid_request"),
    ValidationError: (400, "invalid_request"),
    TooLargeError: (413, "too_large"),
    TransferError: (502, "transfer_failed"),
    FailedError: (500, "internal_error"),
    FullError: (503, "busy"),
    ClosedError: (503, "stopping"),
    SlowError: (504, "too_slow"),
}


def answer(status: int, code: str, detail: str) -> Response:
    content = {
        "type": "about:blank",
        "title": TITLES[status],
        "status": status,
        "detail": detail,
        "code": code,
    }
    headers = {"Retry-After": str(RETRY_AFTER)} if status == 503 else None
    return JSONResponse(content, status, headers, media_type="application/problem+json")


def _problem(_: Request, error: Exception) -> Response:
    status, code = next(PROBLEMS[kind] for kind in type(error).__mro__ if kind in PROBLEMS)
    return answer(status, code, _detail(error))


def _gone(_: Request, error: Exception) -> Response:
    return Response(status_code=499)  # nobody reads it; proxies log it as the client's doing


def _unexpected(_: Request, error: Exception) -> Response:
    logger.error("unexpected", exc_info=error)
    return answer(500, "internal_error", "The song could not be made.")


HANDLERS: dict[type[Exception], Callable[[Request, Exception], Response]] = {
    **dict.fromkeys(PROBLEMS, _problem),
    ClientDisconnect: _gone,
    Exception: _unexpected,
}


def _detail(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    told = (f"{'.'.join(map(str, each['loc'])) or 'the body'}: {each['msg']}" for each in error.errors())
    return "; ".join(told)
