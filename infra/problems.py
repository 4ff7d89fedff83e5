"""What API Gateway answers by itself (RFC 9457): for requests that never reach the function, or fail in it.

A template's key must be application/json, which API Gateway takes whatever the client accepts; a header then
states the real type. A detail of our own stands where API Gateway's wording would mislead.
"""

import json
from dataclasses import dataclass

from aws_cdk import aws_apigateway as apigateway

MESSAGE = "$context.error.messageString"
"""API Gateway's own words, as a quoted JSON string."""


@dataclass(frozen=True)
class Problem:
    """`retry_after` in seconds, None where waiting does not help."""

    status: int
    code: str
    title: str
    detail: str = MESSAGE
    retry_after: int | None = None


BAD_REQUEST = Problem(400, "bad_request", "Bad request")
FORBIDDEN = Problem(403, "forbidden", "Forbidden")
NO_ROUTE = Problem(404, "not_found", "Not found", "There is nothing at this address.")
TOO_LARGE = Problem(413, "body_too_large", "The body is too large", "A request may have at most 10 MB.")
SLOW_DOWN = Problem(429, "too_many_requests", "Too many requests", "The request limit is reached.", 1)
QUOTA_USED = Problem(429, "quota_exceeded", "The quota is used up")
BROKEN = Problem(
    500, "internal_error", "Something went wrong on our side", "The log has it by the request id."
)
NO_ANSWER = Problem(502, "bad_gateway", "Bad gateway", "The service gave no usable answer.", 1)
TIMED_OUT = Problem(504, "timeout", "Timed out", "No answer came in time; the work may still go on.", 1)

# Every type that API Gateway has, so that the two defaults, whose status would replace
# all others', speak only for what it may add one day and for a function that failed.
PROBLEMS = {
    "ACCESS_DENIED": FORBIDDEN,
    "API_CONFIGURATION_ERROR": BROKEN,
    "AUTHORIZER_CONFIGURATION_ERROR": BROKEN,
    "AUTHORIZER_FAILURE": BROKEN,
    "BAD_REQUEST_BODY": BAD_REQUEST,
    "BAD_REQUEST_PARAMETERS": BAD_REQUEST,
    "DEFAULT_4XX": BAD_REQUEST,
    "DEFAULT_5XX": BROKEN,
    "EXPIRED_TOKEN": FORBIDDEN,
    "INTEGRATION_FAILURE": NO_ANSWER,
    "INTEGRATION_TIMEOUT": TIMED_OUT,
    "INVALID_API_KEY": FORBIDDEN,
    "INVALID_SIGNATURE": FORBIDDEN,
    "MISSING_AUTHENTICATION_TOKEN": NO_ROUTE,  # what API Gateway calls a path or method that it does not know
    "QUOTA_EXCEEDED": QUOTA_USED,
    "REQUEST_TOO_LARGE": TOO_LARGE,
    "RESOURCE_NOT_FOUND": NO_ROUTE,
    "THROTTLED": SLOW_DOWN,
    "UNAUTHORIZED": Problem(401, "unauthorized", "Unauthorized"),
    "UNSUPPORTED_MEDIA_TYPE": Problem(415, "unsupported_media_type", "The content type is not supported"),
    "WAF_FILTERED": FORBIDDEN,
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
    """The body, with variables that API Gateway fills in: the request's id, its own message where asked."""
    body = {
        "type": f"urn:cadenza:problem:{problem.code}",
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
