"""Errors as RFC 9457 problem details. The one table from our codes to HTTP."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.event_handler import Response

from lambdas.core.errors import Pointer

CONTENT_TYPE = "application/problem+json"
TYPES = "urn:cadenza:problem:"

PROBLEMS: dict[str, tuple[int, str]] = {
    "malformed_json": (400, "The body is not JSON"),
    "invalid_cursor": (400, "The cursor is not valid"),
    "not_signed": (403, "The call is not signed"),
    "not_found": (404, "Not found"),
    "method_not_allowed": (405, "Method not allowed"),
    "already_terminal": (409, "The job has ended"),
    "not_ready": (409, "The audio is not ready"),
    "idempotency_in_progress": (409, "The first request is still being handled"),
    "expired": (410, "The audio has expired"),
    "body_too_large": (413, "The body is too large"),
    "unsupported_media_type": (415, "The content type is not supported"),
    "invalid_request": (422, "The request is not valid"),
    "idempotency_mismatch": (422, "The key belongs to another request"),
    "quota_exceeded": (429, "Your budget for today is spent"),
    "internal_error": (500, "Something went wrong on our side"),
    "temporarily_unavailable": (503, "Try again in a moment"),
    "budget_exhausted": (503, "The deployment's budget for today is spent"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    code: str
    detail: str
    errors: Sequence[Pointer] = ()
    retry_after: int | None = None
    allow: str | None = None

    def response(self, path: str, request_id: str) -> Response[str]:
        status, title = PROBLEMS[self.code]
        body: dict[str, Any] = {
            "type": TYPES + self.code,
            "title": title,
            "status": status,
            "detail": self.detail,
            "instance": path,
            "code": self.code,
            "request_id": request_id,
        }
        if self.errors:
            body["errors"] = [{"pointer": fault.pointer, "detail": fault.detail} for fault in self.errors]
        headers: dict[str, str | list[str]] = {"Cache-Control": "no-store"}
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        if self.allow is not None:
            headers["Allow"] = self.allow
        return Response(status, CONTENT_TYPE, json.dumps(body, ensure_ascii=False), headers)
