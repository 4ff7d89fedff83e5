"""An ACE-Step server by HTTP: one address, its credentials, and what its refusals mean.

Knows statuses, limits and the envelope around each answer. Must not know what is asked or answered inside it.
Nothing is fetched but from the one address: redirects are refusals.

Source: docs/en/API.md and acestep/api/http of https://github.com/ace-step/ACE-Step-1.5 (v0.1.8).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

import urllib3
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lambdas.backends.download import Download
from lambdas.backends.exchange import ONCE, PATIENCE, SILENT, Answer, Exchange, passing, retry_after
from lambdas.backends.words import plain
from lambdas.core.errors import BackendError, Busy, HostRefusal, PermanentError, TransientError, Waking

MOST_TOLD = 512 << 10  # bytes of an answer; a failed task's may hold a stack trace
WAKES_IN = 100.0  # seconds; a server that was scaled to zero loads its weights for minutes
FULL = 15.0  # seconds until a full queue is worth another try, when it does not say
CONNECT = 5.0
READ = 15.0
READ_HEALTH = 25.0  # a proxy holds a request while it starts the server

Credentials = Callable[[], str]  # the secret's JSON


class _Envelope(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    data: Any = None
    code: int = 200


class _Keys(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    api_key: Annotated[str, Field(pattern=r"^[!-~]+$")] | None = None
    modal_key: Annotated[str, Field(pattern=r"^[!-~]+$")] | None = None
    modal_secret: Annotated[str, Field(pattern=r"^[!-~]+$")] | None = None


@dataclass(frozen=True)
class Server:
    """`url` is the server's root. `credentials`: {"api_key", "modal_key", "modal_secret"}, each optional."""

    url: str
    http: urllib3.PoolManager
    credentials: Credentials = lambda: "{}"
    patience: float = PATIENCE

    def awake(self) -> None:
        """Raises Waking while the server is being started: then it has been told of no work yet."""
        try:
            self._ask("GET", "/health", read=READ_HEALTH)
        except TransientError as error:
            if error.code != SILENT:
                raise
            raise _waking() from error

    def ask(self, path: str, body: Mapping[str, object]) -> Any:
        """The `data` of what is answered to this JSON."""
        return _data(self._ask("POST", path, json=body))

    def look(self, path: str) -> Any:
        """The `data` at this path."""
        return _data(self._ask("GET", path))

    def send(self, path: str, fields: Mapping[str, object]) -> Any:
        """The same for a form; a field that is (name, bytes, type) is a file."""
        return _data(self._ask("POST", path, fields=fields, read=2 * READ))

    def audio(self, path: str) -> bytes | None:
        """A WAV of the server's; None when it is not there any more. Raises HostRefusal, TransientError."""
        files = self.url.rstrip("/") + "/v1/audio?"
        download = Download(self.http, lambda url: url.startswith(files))
        return download.wav(files + urlencode({"path": path}), _headers(self.credentials()))

    def _ask(self, method: str, path: str, read: float = READ, **body: Any) -> Answer:
        exchange = Exchange("The ACE-Step server", self.http, MOST_TOLD, self.patience)
        headers = {"accept": "*/*", **_headers(self.credentials())}
        timeout = urllib3.Timeout(connect=CONNECT, read=read)
        answer = exchange.send(method, self.url.rstrip("/") + path, headers, timeout, ONCE, **body)
        if answer.status != 200:
            raise _refused(answer)
        return answer


def _headers(credentials: str) -> dict[str, str]:
    """Raises HostRefusal, without the secret's words, for what is no set of keys."""
    try:
        keys = _Keys.model_validate_json(credentials)
    except ValidationError:
        raise HostRefusal("bad_credentials", "The ACE-Step server's credentials are not set up.") from None
    bearer = f"Bearer {keys.api_key}" if keys.api_key else None
    said = {"authorization": bearer, "modal-key": keys.modal_key, "modal-secret": keys.modal_secret}
    return {name: value for name, value in said.items() if value is not None}


def _data(answer: Answer) -> Any:
    envelope = answer.read(_Envelope)
    if envelope.code != 200:
        raise _meaning(envelope.code)
    return envelope.data


def _refused(answer: Answer) -> BackendError:
    try:
        reason = json.loads(answer.body)["detail"]
    except (ValueError, KeyError, TypeError):
        reason = None  # a proxy's page, or nothing
    said = plain(reason) if isinstance(reason, str) else ""
    return _meaning(answer.status, said, retry_after(answer.headers))


def _meaning(status: int, reason: str = "", wait: float = 0.0) -> BackendError:
    if status == 303:  # Modal's answer while a request has waited 150 seconds for its container
        return _waking()
    if status in (401, 402, 403):
        return HostRefusal(
            "not_allowed", "The ACE-Step server does not accept this deployment's credentials."
        )
    if status in (404, 405) or 300 <= status < 400:
        return HostRefusal("no_such_server", "No ACE-Step server answers at this address.")
    if passing(status):
        wait = wait or (FULL if status == 429 else 0.0)
        kind = Busy if status == 429 else TransientError
        return kind(f"http_{status}", f"The ACE-Step server answered {status}.", wait)
    return PermanentError(f"http_{status}", reason or f"The ACE-Step server answered {status}.")


def _waking() -> Waking:
    return Waking("waking", "The ACE-Step server is not ready yet.", WAKES_IN)
