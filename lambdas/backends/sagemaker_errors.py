"""What SageMaker's refusals mean for a song: one table, each line with its reason.

Knows botocore's errors. Must not know what was asked. A song's owner reads the details: they name no account.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import (
    BaseEndpointResolverError,
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProxyConnectionError,
)
from pydantic import ValidationError

from lambdas.backends.wire import UNWELL, Problem, Refusal, refusal
from lambdas.core.errors import (
    BackendError,
    Busy,
    HostRefusal,
    Lost,
    PermanentError,
    TransientError,
    Unfit,
    Waking,
)

Kind = Literal["again", "full", "cold", "elsewhere"]


@dataclass(frozen=True, slots=True)
class _Line:
    kind: Kind
    code: str
    detail: str
    after: float = 0.0  # seconds


SONG = 30.0  # seconds until a place may be free: a song takes about as long

_BUSY = _Line("full", "throttled", "The model's endpoint takes no more songs at the moment.", SONG)
_ABSENT = _Line("elsewhere", "no_endpoint", "The model's endpoint is not there, or not so.")
_COMING = _Line("cold", "starting", "The model's endpoint is being started.", 30)
_UNWELL = _Line("again", "unavailable", "The model's endpoint is not well at the moment.", 5)
_BARRED = _Line("elsewhere", "not_allowed", "This deployment may not ask the model's endpoint.")
_EXPIRED = _Line("again", "credentials_expired", "The deployment's credentials have just expired.", 1)

# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html, and the errors
# that every service has: https://docs.aws.amazon.com/sagemaker/latest/APIReference/CommonErrors.html
TABLE = {
    # More at once than an endpoint's concurrency or an account's rate: a slot comes free by itself.
    "ThrottlingException": _BUSY,
    "Throttling": _BUSY,
    "TooManyRequestsException": _BUSY,
    "RequestLimitExceeded": _BUSY,
    # A serverless endpoint or a model that is still being loaded.
    "ModelNotReadyException": _Line("cold", "cold", "The model is still being loaded.", 15),
    "ServiceUnavailable": _UNWELL,
    "InternalFailure": _UNWELL,
    "InternalServerException": _UNWELL,
    "InternalDependencyException": _UNWELL,
    "ValidationError": _ABSENT,
    "ValidationException": _ABSENT,
    # New accounts have no quota for GPUs; only their owner can ask AWS for it.
    "ServiceQuotaExceededException": _Line("elsewhere", "quota", "The account's quota is used up."),
    "ResourceLimitExceeded": _Line("elsewhere", "quota", "The account's quota is used up."),
    "AccessDeniedException": _BARRED,
    "UnrecognizedClientException": _BARRED,
    "InvalidClientTokenId": _BARRED,
    "InvalidSignatureException": _BARRED,
    "MissingAuthenticationTokenException": _BARRED,
    "OptInRequired": _BARRED,
    # A function's role gets new ones in time.
    "ExpiredTokenException": _EXPIRED,
    "ExpiredToken": _EXPIRED,
}

Status = Callable[[], str | None]
"""An endpoint's status, None where there is none."""

COMING = ("Creating", "Updating", "SystemUpdating", "RollingBack")
NOT_FOUND = "not found"  # "Endpoint x of account y not found.", which is all that its runtime says

WORTH_ANOTHER_TRY = {408, 425, 429}  # of a container's answers; and every 5xx
WORTH_WAITING = {"again": TransientError, "full": Busy, "cold": Waking}
UNSENDABLE = (BaseEndpointResolverError, NoCredentialsError, PartialCredentialsError)  # the first: no region
UNCONNECTED = (EndpointConnectionError, ConnectTimeoutError, ProxyConnectionError)
TOO_LONG = ("timed out", "timeout")


def translated(
    error: BotoCoreError | ClientError, seconds: float | None = None, status: Status = lambda: None
) -> BackendError:
    """seconds: after which this endpoint would cut the next try off as well; None where none does."""
    if not isinstance(error, ClientError):
        return _unsent(error)
    response: dict[str, Any] = dict(error.response)
    code = response.get("Error", {}).get("Code", "")
    if code == "ModelError":
        return _answered(response, seconds)
    http = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    line = TABLE.get(code) or (_UNWELL if http >= 500 or http == 429 else _BARRED)
    if line is _ABSENT and _coming(status(), str(response["Error"].get("Message"))):
        line = _COMING
    return _error(line)


def _coming(status: str | None, said: str) -> bool:
    """The runtime knows of an endpoint only once it is there, and a little later than SageMaker itself."""
    return status in COMING or (status == "InService" and NOT_FOUND in said)


def _unsent(error: BotoCoreError) -> BackendError:
    """Nothing could be sent; or a connection was not made, broke, kept silent or brought nonsense."""
    if isinstance(error, UNSENDABLE):
        return HostRefusal("misconfigured", "This deployment is not set up to ask SageMaker.")
    kind = TransientError if isinstance(error, UNCONNECTED) else Lost
    return kind("unreachable", "SageMaker does not answer.")


def _answered(response: dict[str, Any], seconds: float | None) -> BackendError:
    """The container's own error, which it knows best, or what SageMaker says of a container that had none."""
    status, said = response.get("OriginalStatusCode", 0), str(response.get("OriginalMessage") or "")
    told = problem(said)
    if told is not None:
        # Its Retry-After is not passed on.
        return refusal(told, status, SONG if status == UNWELL else 0.0)
    if seconds is not None and any(sign in said.lower() for sign in TOO_LONG):
        detail = f"The song was not made within the {seconds:g} seconds that this endpoint has."
        return Unfit("too_slow", detail)
    if status == 0 or status >= 500 or status in WORTH_ANOTHER_TRY:
        return TransientError("container_failed", "The model's container failed.", 5)
    return PermanentError("container_refused", f"The model's container refused this song ({status}).")


def problem(said: str | bytes) -> Problem | None:
    """The wire contract's error in an answer; None in what a proxy says, or nobody."""
    try:
        return Refusal.model_validate_json(said).error
    except ValidationError:
        return None


def _error(line: _Line) -> BackendError:
    if line.kind == "elsewhere":
        return HostRefusal(line.code, line.detail)
    return WORTH_WAITING[line.kind](line.code, line.detail, line.after)
