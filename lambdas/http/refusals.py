"""From everything that can go wrong to one problem document; nothing else of an error leaves the service."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from lambdas.core.errors import Pointer, RequestError
from lambdas.http.problems import Problem

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import APIGatewayRestResolver

METHODS: Mapping[str, str] = {
    "generate": "POST",
    "uploads": "POST",
    "models": "GET",
    "health": "GET",
    "openapi.json": "GET",
    "docs": "GET",
    "jobs": "GET",
    "jobs/*": "GET, PATCH, DELETE",
    "jobs/*/cancel": "POST",
    "jobs/*/audio": "GET",
    "callbacks/*": "POST",
}


def attach(
    app: "APIGatewayRestResolver",
    passing: Sequence[type[Exception]],
    record: Callable[[str, Exception], None],
) -> None:
    """Answer what routes raise, and what no route answers.

    passing: errors that the same request may not meet a moment later.
    record: told of every error that is ours, not the caller's.
    """

    def answer(problem: Problem) -> Response[str]:
        return problem.response(app.current_event.path, app.current_event.request_context.request_id or "")

    def on_request_error(error: RequestError) -> Response[str]:
        return answer(_refused(error))

    def on_invalid(error: RequestValidationError) -> Response[str]:
        return answer(_invalid(error))

    def on_unknown_route(_: NotFoundError) -> Response[str]:
        return answer(_unknown(app.current_event.path, app.current_event.http_method))

    def on_transient(error: Exception) -> Response[str]:
        record("unavailable", error)
        return answer(Problem("temporarily_unavailable", "The service is busy; try again.", retry_after=1))

    def on_surprise(error: Exception) -> Response[str]:
        record("unexpected", error)
        return answer(Problem("internal_error", "It was recorded; the request id names it."))

    app.exception_handler(RequestError)(on_request_error)
    app.exception_handler(RequestValidationError)(on_invalid)
    app.exception_handler([*passing])(on_transient)
    app.exception_handler(Exception)(on_surprise)
    app.not_found(on_unknown_route)


def refusal(path: str, request_id: str, error: RequestError) -> dict[str, Any]:
    """The function's answer to a request that no route is asked about."""
    response = _refused(error).response(path, request_id)
    return {
        "statusCode": response.status_code,
        "body": response.body,
        "isBase64Encoded": False,
        "multiValueHeaders": {
            "Content-Type": [response.content_type],
            **{name: [str(value)] for name, value in response.headers.items()},
        },
    }


def _refused(error: RequestError) -> Problem:
    return Problem(error.code, error.detail, error.errors, error.retry_after)


def _invalid(error: RequestValidationError) -> Problem:
    faults = [
        Pointer(_pointer(fault["loc"]), fault["msg"].removeprefix("Value error, "))
        for fault in error.errors()
    ]
    return Problem("invalid_request", "; ".join(f"{f.pointer or 'body'}: {f.detail}" for f in faults), faults)


def _pointer(location: tuple[str | int, ...]) -> str:
    """A JSON pointer into the body; the plain name of a parameter elsewhere."""
    place, *steps = location
    if place != "body":
        return str(steps[-1]) if steps else str(place)
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def _unknown(path: str, method: str) -> Problem:
    steps = path.strip("/").split("/")
    if len(steps) > 1:
        steps[1] = "*"
    allowed = METHODS.get("/".join(steps))
    # A route may turn down an id for its characters; its method is then not to blame.
    if allowed is None or method in allowed.split(", "):
        return Problem("not_found", "There is nothing at this address.")
    return Problem("method_not_allowed", f"This address takes {allowed}.", allow=allowed)
