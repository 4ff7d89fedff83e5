"""What API Gateway answers by itself (RFC 9457): requests that never reach the function, answers that never leave it.

The key of a template must be application/json, which API Gateway takes whatever the client accepts; the header then
states the real type. A detail of its own stands where API Gateway's wording would mislead.
"""

import json
from dataclasses import dataclass

from aws_cdk import aws_apigateway as apigateway

MESSAGE = "$context.error.messageString"
"""API Gateway's own words, as a quoted JSON string."""

RETRY_SECONDS = 1


@dataclass(frozen=True)
class Problem:
    """`retry_after` in seconds, None where waiting does not help."""

    status: int
    code: str
    title: str
    detail: str = MESSAGE
    retry_after: int | None = None


NO_ROUTE = Problem(404, "not_found", "Not found", "There is nothing at this address.")
SLOW_DOWN = Problem(
    429, "too_many_requests", "Too many requests", "The request limit is reached.", RETRY_SECONDS
)
BROKEN = Problem(
    500, "internal_error", "Internal error", "The service failed; the request id finds it in the log."
)
FORBIDDEN = Problem(403, "forbidden", "Forbidden")
TIMED_OUT = Problem(
    504, "timeout", "Timed out", "No answer came in time; the request may still be at work.", RETRY_SECONDS
)

# Every type that API Gateway has, so that the two defaults, whose status would replace
# all others', speak only for what it may add one day.
PROBLEMS = {
    "ACCESS_DENIED": FORBIDDEN,
    "API_CONFIGURATION_ERROR": BROKEN,
    "AUTHORIZER_CONFIGURATION_ERROR": BROKEN,
    "AUTHORIZER_FAILURE": BROKEN,
    "BAD_REQUEST_BODY": Problem(400, "invalid_request", "Invalid request"),
    "BAD_REQUEST_PARAMETERS": Problem(400, "invalid_request", "Invalid request"),
    "EXPIRED_TOKEN": FORBIDDEN,
    "INTEGRATION_FAILURE": Problem(
        502, "bad_gateway", "Bad gateway", "The service gave no usable answer.", RETRY_SECONDS
    ),
    "INTEGRATION_TIMEOUT": TIMED_OUT,
    "INVALID_API_KEY": FORBIDDEN,
    "INVALID_SIGNATURE": FORBIDDEN,
    "MISSING_AUTHENTICATION_TOKEN": NO_ROUTE,  # what API Gateway calls a path or method that it does not know
    "QUOTA_EXCEEDED": Problem(429, "quota_exceeded", "Quota exceeded", "The quota of this key is used up."),
    "REQUEST_TOO_LARGE": Problem(
        413, "request_too_large", "Request too large", "A request may have at most 10 MB."
    ),
    "RESOURCE_NOT_FOUND": NO_ROUTE,
    "THROTTLED": SLOW_DOWN,
    "UNAUTHORIZED": Problem(401, "unauthorized", "Unauthorized"),
    "UNSUPPORTED_MEDIA_TYPE": Problem(415, "unsupported_media_type", "Unsupported media type"),
    "WAF_FILTERED": FORBIDDEN,
    "DEFAULT_4XX": Problem(400, "bad_request", "Bad request"),
    "DEFAULT_5XX": BROKEN,
}


def add_problems(api: apigateway.RestApi) -> None:
    for kind, problem in PROBLEMS.items():
        api.add_gateway_response(
            f"Problem{kind}",
            type=apigateway.ResponseType.of(kind),
            status_code=str(problem.status),
            response_headers=_headers(problem),
            templates={"application/json": template(problem)},
        )


def template(problem: Problem) -> str:
    """The body, with the variables that API Gateway fills in: the request's id, and its message where asked."""
    body = {
        "type": "about:blank",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": "urn:uuid:$context.requestId",
        "code": problem.code,
        "request_id": "$context.requestId",
    }
    return json.dumps(body).replace(f'"{MESSAGE}"', MESSAGE)  # it brings its own quotes


def _headers(problem: Problem) -> dict[str, str]:
    headers = {"Content-Type": "'application/problem+json'", "Cache-Control": "'no-store'"}
    if problem.retry_after is not None:
        headers["Retry-After"] = f"'{problem.retry_after}'"
    return headers
