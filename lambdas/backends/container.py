"""The model container as a backend: songs by id over plain HTTP (docs/wire.md).

Knows HTTP as a client. Must not know which model answers, or what becomes of the audio.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

import urllib3
from pydantic import ValidationError

from lambdas.backends.exchange import PATIENCE, Answer, Exchange, passing, retry_after
from lambdas.backends.wire import CHECK_AFTER, WIRE, Refusal, State, asked, meaning, refusal
from lambdas.core.errors import BackendError, HostRefusal, TransientError
from lambdas.core.pieces import Ticket
from lambdas.core.ports import Failed, Finished, Running, Work

LARGEST = 64 << 10  # bytes of an answer
TIMEOUT = urllib3.Timeout(connect=5, read=10)

# Every request may be sent twice: an id names one piece of work, however often it is sent.
RETRIES = urllib3.Retry(
    connect=1, read=1, redirect=0, status=0, other=0, allowed_methods=None, respect_retry_after_header=False
)


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

    def _ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Answer:
        """Raises TransientError when nothing answers, HostRefusal when what answers is no container."""
        headers = {"accept": "application/json", "prefer": "respond-async"}
        exchange = Exchange("The model's container", self.http, LARGEST, self.patience)
        answer = exchange.send(method, self.url.rstrip("/") + path, headers, TIMEOUT, RETRIES, json=body)
        if answer.headers.get("cadenza-wire", WIRE) != WIRE:
            raise HostRefusal("wrong_wire", "The model's container speaks another version.")
        return answer


def _path(ticket: Ticket) -> str:
    return f"/invocations/{quote(ticket.id, safe='')}"


def _state(answer: Answer, id: str) -> State:
    """Raises TransientError for anything but the state of this work."""
    state = answer.read(State)
    if state.id != id:
        raise TransientError("bad_answer", "The model's container answers about other work.")
    return state


def _refused(answer: Answer) -> BackendError:
    """What a status says about another try holds unless the container itself says otherwise. What is not in
    its words is not about the piece: a proxy's page, another server, or nothing."""
    try:
        told = Refusal.model_validate_json(answer.body).error
    except ValidationError:
        code, detail = f"http_{answer.status}", f"The model's container answered {answer.status}."
        if passing(answer.status):
            return TransientError(code, detail, retry_after(answer.headers))
        return HostRefusal(code, detail)
    return refusal(told, answer.status, retry_after(answer.headers))
