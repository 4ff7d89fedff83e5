"""The model container as a backend: songs by id over plain HTTP (docs/wire.md).

Knows HTTP as a client. Must not know which model answers, or what becomes of the audio.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

import urllib3
from pydantic import ValidationError

from lambdas.backends.wire import CHECK_AFTER, DETAIL, WIRE, Refusal, State, asked, meaning
from lambdas.core.errors import BackendError, HostRefusal, PermanentError, TransientError
from lambdas.core.pieces import Ticket
from lambdas.core.ports import Failed, Finished, Running, Work

LARGEST = 64 << 10  # bytes of an answer
PATIENCE = 20.0  # seconds that a whole answer may take, however busily the other side drips
TIMEOUT = urllib3.Timeout(connect=5, read=10)
LONGEST_WAIT = 300.0  # seconds of Retry-After that are believed
WORTH_ANOTHER_TRY = {408, 425, 429}  # and every 5xx

# Every request may be sent twice: an id names one piece of work, however often it is sent.
RETRIES = urllib3.Retry(
    connect=1, read=1, redirect=0, status=0, other=0, allowed_methods=None, respect_retry_after_header=False
)


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class ContainerBackend:
    """Implements ports.Backend. `url` is the container's root; a ticket's id is the work's own."""

    url: str
    http: urllib3.PoolManager
    patience: float = PATIENCE
    longest: float = 300.0

    def start(self, work: Work) -> Ticket:
        answer = self._ask("POST", "/invocations", asked(work))
        if answer.status not in (200, 202):
            raise _refused(answer)
        _state(answer, work.id)
        return Ticket(id=work.id, check_after=CHECK_AFTER)

    def check(self, _: Work, ticket: Ticket) -> Running | Finished | Failed:
        answer = self._ask("GET", _path(ticket))
        if answer.status == 404:
            return Failed("unknown_work", "The container no longer knows this work.", transient=True)
        if answer.status != 200:
            raise _refused(answer)
        return meaning(_state(answer, ticket.id))

    def cancel(self, ticket: Ticket) -> None:
        answer = self._ask("DELETE", _path(ticket))
        if answer.status >= 300 and answer.status != 404:
            raise _refused(answer)

    def _ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> _Answer:
        """Raises TransientError when nothing answers, HostRefusal when what answers is no container."""
        headers = {"accept": "application/json", "prefer": "respond-async"}
        try:
            response = self.http.request(
                method,
                self.url.rstrip("/") + path,
                json=body,
                headers=headers,
                timeout=TIMEOUT,
                retries=RETRIES,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            answer = _Answer(response.status, response.headers, self._body(response))
        except urllib3.exceptions.HTTPError as error:
            raise TransientError("unreachable", "The model's container does not answer.") from error
        if answer.headers.get("cadenza-wire", WIRE) != WIRE:
            raise HostRefusal("wrong_wire", "The model's container speaks another version.")
        return answer

    def _body(self, response: urllib3.BaseHTTPResponse) -> bytes:
        until, body = time.monotonic() + self.patience, b""
        while piece := response.read1(LARGEST):
            body += piece
            if len(body) > LARGEST or time.monotonic() > until:
                response.close()
                raise TransientError("bad_answer", "The model's container answers too much or too slowly.")
        response.release_conn()
        return body


def _path(ticket: Ticket) -> str:
    return f"/invocations/{quote(ticket.id, safe='')}"


def _state(answer: _Answer, id: str) -> State:
    """Raises TransientError for anything but the state of this work."""
    try:
        state = State.model_validate_json(answer.body)
    except ValidationError as error:
        raise TransientError("bad_answer", "The model's container answers without sense.") from error
    if state.id != id:
        raise TransientError("bad_answer", "The model's container answers about other work.")
    return state


def _refused(answer: _Answer) -> BackendError:
    """What a status says about another try holds unless the container itself says otherwise. What is not in
    its words is not about the piece: a proxy's page, another server, or nothing."""
    try:
        told = Refusal.model_validate_json(answer.body).error
    except ValidationError:
        code, detail = f"http_{answer.status}", f"The model's container answered {answer.status}."
        if answer.status >= 500 or answer.status in WORTH_ANOTHER_TRY:
            return TransientError(code, detail, _retry_after(answer))
        return HostRefusal(code, detail)
    if not told.transient:
        return PermanentError(told.code, told.detail[:DETAIL])
    return TransientError(told.code, told.detail[:DETAIL], _retry_after(answer))


def _retry_after(answer: _Answer) -> float:
    said = answer.headers.get("retry-after", "")
    return min(float(said), LONGEST_WAIT) if said.isascii() and said.isdigit() else 0.0
