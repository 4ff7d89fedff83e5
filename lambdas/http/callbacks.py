"""A call from a model's host, as API Gateway hands it over: the bytes that were signed, and the job."""

from typing import Any

from lambdas.core.errors import RequestError
from lambdas.core.hinting import Hints


def hear(hints: Hints | None, event: dict[str, Any]) -> None:
    """Raises RequestError: `not_found` where no host is set up to call, `not_signed` for others' calls."""
    if hints is None:
        raise RequestError("not_found", "There is nothing at this address.")
    body = (event.get("body") or "").encode("utf-8", "surrogatepass")
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    job_id = (event.get("queryStringParameters") or {}).get("job") or ""
    if not hints.take(headers, body, job_id):
        raise RequestError("not_signed", "The call's signature is missing, wrong or old.")
