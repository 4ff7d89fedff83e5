"""What a body must be before anybody looks inside: small, JSON, and said to be."""

import json
from collections.abc import Mapping
from typing import Any

from lambdas.core.errors import Pointer, RequestError

BODY_LIMIT = 64 * 1024  # bytes
JSON = "application/json"
LOST = "\ufffd"  # what API Gateway puts in the place of bytes that are not UTF-8
CURL_DEFAULT = "application/x-www-form-urlencoded"  # what `curl -d '{…}'` says of any body

Event = dict[str, Any]


def admit(event: Event) -> Event:
    """The event with a body that is surely a JSON object. Raises RequestError."""
    body = event.get("body")
    if not body:
        return event
    if len(body.encode("utf-8", "surrogatepass")) > BODY_LIMIT:
        raise RequestError("body_too_large", f"A body holds at most {BODY_LIMIT} bytes.")
    declared = _content_type(event.get("headers") or {})
    if declared not in (JSON, CURL_DEFAULT, "") and not declared.endswith("+json"):
        raise RequestError("unsupported_media_type", f"Send {JSON}, not {declared[:100]}.")
    if LOST in body:
        raise RequestError("malformed_json", "The body is not UTF-8.")
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        where = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise RequestError("malformed_json", f"The body cannot be read as JSON{where}.") from None
    if not isinstance(value, dict):
        detail = "The body must be an object."
        raise RequestError("invalid_request", detail, [Pointer("", detail)])
    return {**event, "headers": _as_json(event.get("headers") or {})}


def _content_type(headers: Mapping[str, str]) -> str:
    found = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    return found.partition(";")[0].strip().lower()


def _as_json(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() != "content-type"} | {
        "content-type": JSON
    }
