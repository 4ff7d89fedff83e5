"""Replicate's HTTP API: one exchange, and what its refusals mean. Knows no model.

Its documented limits: https://replicate.com/docs/topics/predictions/rate-limits
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import urllib3
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from lambdas.backends.exchange import LONGEST_WAIT, ONCE, PATIENCE, Answer, Exchange, passing, retry_after
from lambdas.backends.words import plain
from lambdas.core.errors import BackendError, Busy, HostRefusal, PermanentError, TransientError

LARGEST = 1 << 20  # bytes of an answer: a prediction tells its whole log
TIMEOUT = urllib3.Timeout(connect=5, read=15)
# The title of a 422 that is about us, not about the input.
INVALID_VERSION = "invalid version or not permitted"

AGAIN = ONCE.new(read=1, allowed_methods=None)

REFUSALS = {
    401: (
        "host_unauthorized",
        "Replicate refuses this deployment's token: its operator must store a valid one.",
    ),
    402: ("host_unpaid", "Replicate asks for payment: the deployment's operator must add credit there."),
    403: ("host_forbidden", "Replicate does not allow this deployment's account to run the model."),
    404: (
        "version_unknown",
        "Replicate does not know the model's version: the operator must configure another.",
    ),
}
UNKNOWN_VERSION = (
    "version_unknown",
    "Replicate does not know the model's version, or may not run it for this account, which may lack a way "
    "to pay: the operator must look.",
)


class _Problem(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    title: str = ""
    detail: JsonValue = None
    retry_after: float | None = Field(None, ge=0)


@dataclass(frozen=True)
class ReplicateApi:
    base_url: str
    token: Callable[[], str]
    http: urllib3.PoolManager
    patience: float = PATIENCE

    def credentials(self) -> dict[str, str]:
        """Raises HostRefusal while the operator has stored no token."""
        token = self.token().strip()
        if not token.isascii() or not token.isprintable() or not token:
            raise HostRefusal("host_unauthorized", REFUSALS[401][1])
        return {"authorization": f"Bearer {token}"}

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, JsonValue] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        repeatable: bool = True,
    ) -> Answer:
        """One exchange. Raises TransientError when no answer came."""
        told = {"accept": "application/json", **self.credentials(), **(headers or {})}
        exchange = Exchange("Replicate", self.http, LARGEST, self.patience)
        retries = AGAIN if repeatable else ONCE
        return exchange.send(method, self.base_url.rstrip("/") + path, told, TIMEOUT, retries, json=body)


def explained(answer: Answer) -> BackendError:
    """What an answer that is no success means for the work."""
    try:
        problem = _Problem.model_validate_json(answer.body)
    except ValidationError:
        problem = _Problem()  # a proxy's page, or nothing
    if passing(answer.status):
        wait = min(max(retry_after(answer.headers), problem.retry_after or 0.0), LONGEST_WAIT)
        kind = Busy if answer.status == 429 else TransientError
        return kind(f"http_{answer.status}", f"Replicate is busy ({answer.status}).", wait)
    if answer.status in REFUSALS:
        return HostRefusal(*REFUSALS[answer.status])
    if problem.title.lower() == INVALID_VERSION:
        return HostRefusal(*UNKNOWN_VERSION)
    if answer.status in (400, 413, 422):
        said = plain(str(problem.detail or problem.title))
        return PermanentError("invalid_input", f"Replicate turned it down: {said}")
    return HostRefusal(f"http_{answer.status}", f"Replicate answered {answer.status}.")
