"""One request to a model container's `POST /invocations`, with a limit on its time and on its answer's bytes.

Knows HTTP. Must not know who asks, or what becomes of the answer.
"""

import http.client
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

CHUNK = 1 << 16


class TimedOut(Exception):
    """The container did not answer whole in time."""


class Unreachable(Exception):
    """Nobody listens there, or the connection broke; the message says which."""


class TooLarge(Exception):
    """The answer is longer than it may be."""


@dataclass(frozen=True)
class Reply:
    status: int
    content_type: str
    attributes: str | None
    body: bytes

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300


def invoke(
    address: str, headers: Mapping[str, str], body: bytes, *, seconds: float, most_bytes: int
) -> Reply:
    """The container's answer, good or bad. Raises TimedOut, Unreachable or TooLarge."""
    where = urlsplit(address)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=seconds)
    ends = time.monotonic() + seconds
    try:
        connection.connect()
        connection.request("POST", "/invocations", body, dict(headers))
        return _read(connection, ends, most_bytes)
    except TimeoutError:
        raise TimedOut from None
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(str(error) or type(error).__name__) from error
    finally:
        connection.close()


def _read(connection: http.client.HTTPConnection, ends: float, most_bytes: int) -> Reply:
    socket = connection.sock  # the connection forgets it when the server is going to close it
    socket.settimeout(_left(ends))
    response = connection.getresponse()
    body = bytearray()
    while True:
        socket.settimeout(_left(ends))
        chunk = response.read1(CHUNK)
        if not chunk:
            break
        body += chunk
        if len(body) > most_bytes:
            raise TooLarge
    if response.length:
        raise http.client.IncompleteRead(bytes(body), response.length)
    return Reply(
        status=response.status,
        content_type=response.getheader("Content-Type", "application/octet-stream"),
        attributes=response.getheader("X-Amzn-SageMaker-Custom-Attributes"),
        body=bytes(body),
    )


def _left(ends: float) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
