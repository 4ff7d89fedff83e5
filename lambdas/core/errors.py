"""Everything that can go wrong, as one tree.

CadenzaError
├── RequestError          the caller asked for something that cannot be; `code` decides the HTTP status
├── Conflict              a row changed since it was read
├── Superseded            the job this worker holds was canceled, deleted or taken over
├── BackendError
│   ├── PermanentError    the model refused: the job ends as failed, with a reason its owner can act on
│   ├── HostRefusal       this host cannot or may not make it; the next one of the chain perhaps can
│   │   └── Unfit         the host is well, and this piece is nothing for it
│   └── TransientError    throttled, broken, unreachable: worth another try
│       ├── Waking        the host is well and being started: it will be there in a while
│       ├── Busy          the host is well and full: a place comes free in a while
│       ├── Lost          no answer was had to what the host may have heard
│       └── StoreFault    our own bucket did not take or give a file: that says nothing of the host
└── UnusableAudio         what a model returned, or a caller sent, is not a recording that can be used
    └── MissingAudio      there is nothing where it should be
"""

from collections.abc import Sequence
from dataclasses import dataclass


class CadenzaError(Exception):
    """The root of our own errors."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """Where in the request a fault lies: a JSON pointer (RFC 6901) into the body, or a parameter's name."""

    pointer: str
    detail: str


class RequestError(CadenzaError):
    """A caller's mistake. `code` is stable and machine-readable, `detail` is for people."""

    def __init__(
        self, code: str, detail: str, errors: Sequence[Pointer] = (), retry_after: int | None = None
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after = retry_after


def invalid(pointer: str, detail: str) -> RequestError:
    """One field of the body is at fault."""
    return RequestError("invalid_request", detail, [Pointer(pointer, detail)])


class Conflict(CadenzaError):
    """The stored version is not the one that this change was based on."""


class Superseded(CadenzaError):
    """The work in hand is no longer wanted from this worker."""


class BackendError(CadenzaError):
    """A model's host did not do what was asked."""

    cost_usd: float | None = None
    """What work that it ended did cost all the same, where the host says so."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class PermanentError(BackendError):
    """Trying again would give the same answer."""


class HostRefusal(BackendError):
    """This host would refuse again, as it is not paid, not allowed or not made for it. Another may do it."""


class Unfit(HostRefusal):
    """The host is in order and does not make such pieces. No reason to leave it alone with others."""


class TransientError(BackendError):
    """Trying again may succeed, at the earliest after `retry_after` seconds."""

    def __init__(self, code: str, detail: str, retry_after: float = 0.0) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after


class Waking(TransientError):
    """The host was asleep, as it should be while nobody asks. No reason to leave it alone."""


class Busy(TransientError):
    """The host is in order and has no place free. No reason to leave it alone, or to give a job up."""


class Lost(TransientError):
    """The host was reached and its answer was not had: what was asked may have been begun all the same."""


class StoreFault(TransientError):
    """Our own bucket, on the way to or from a host. No reason to leave the host alone."""


class UnusableAudio(CadenzaError):
    """Audio that cannot be decoded, is empty, holds non-finite samples or exceeds a stated limit."""


class MissingAudio(UnusableAudio):
    """A recording that was promised is not there."""
