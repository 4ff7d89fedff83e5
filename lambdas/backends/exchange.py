"""One exchange over HTTP with a model's host, and an answer within limits. Knows no host.

Each has a connection of its own: one that was kept since the last may be dead, and what is sent on it lost
without a way to know. A redirect is an answer like others: nothing is fetched from elsewhere.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import urllib3
from pydantic import BaseModel, ValidationError

from lambdas.core.errors import Lost, TransientError

PATIENCE = 20.0  # seconds that a whole answer may take, however busily the other side drips
PIECE = 64 << 10  # bytes read at once
LONGEST_WAIT = 300.0  # seconds of Retry-After that are believed
SILENT = "silent"  # the code of who was connected and said nothing in time

# A connection that was never made has asked for nothing; whatever came later may have been heard.
UNCONNECTED = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.SSLError,
)
ONCE = urllib3.Retry(
    total=1, connect=1, read=0, redirect=0, status=0, other=0, respect_retry_after_header=False
)
"""Heard at most once."""

Told = TypeVar("Told", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Answer:
    who: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    def read(self, kind: type[Told]) -> Told:
        """Raises Lost for anything else: a proxy's page, half an answer, a state that is new."""
        try:
            return kind.model_validate_json(self.body)
        except ValidationError as error:
            raise Lost("bad_answer", f"{self.who} answers without sense.") from error


@dataclass(frozen=True)
class Exchange:
    """`who` is the host in a sentence for a job's owner; `most` are bytes of an answer."""

    who: str
    http: urllib3.PoolManager
    most: int
    patience: float = PATIENCE

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        timeout: urllib3.Timeout,
        retries: urllib3.Retry,
        **body: Any,
    ) -> Answer:
        """body: as urllib3 takes it, `json` or `fields`. Raises Lost when no answer came, TransientError when
        nothing can have been heard."""
        try:
            response = self.http.request(
                method,
                url,
                headers={**headers, "connection": "close"},
                timeout=timeout,
                retries=retries,
                redirect=False,
                preload_content=False,
                decode_content=False,
                **body,
            )
            return Answer(self.who, response.status, response.headers, self._body(response))
        except urllib3.exceptions.HTTPError as error:
            reason = getattr(error, "reason", error)
            code = SILENT if isinstance(reason, urllib3.exceptions.ReadTimeoutError) else "unreachable"
            kind = TransientError if isinstance(reason, UNCONNECTED) else Lost
            raise kind(code, f"{self.who} does not answer.") from error

    def _body(self, response: urllib3.BaseHTTPResponse) -> bytes:
        until, body = time.monotonic() + self.patience, bytearray()
        try:
            while piece := response.read1(PIECE):
                body += piece
                if len(body) > self.most or time.monotonic() > until:
                    raise Lost("bad_answer", f"{self.who} answers too much or too slowly.")
        finally:
            response.close()
        return bytes(body)


def passing(status: int) -> bool:
    """Whether the same request may be answered otherwise in a while."""
    return status >= 500 or status in (408, 425, 429)


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds, where the host says them, as far as is believed; 0 where it does not."""
    said = headers.get("retry-after", "")
    return min(float(said), LONGEST_WAIT) if said.isascii() and said.isdigit() else 0.0
