"""Files from and to the addresses that a request names.

Knows HTTP as a client. Must not know what the files hold. No redirects: an address means itself.
"""

import io
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import IO, Any

import urllib3

Wanted = Callable[[], bool]  # whether a file is still wanted

FETCHING = urllib3.Timeout(connect=5, read=10)
STORING = urllib3.Timeout(connect=5, read=60)  # connect: also for each piece that is sent
TRIES = 3
BUSY = 429, 500, 502, 503, 504
MAX_BYTES = 128 << 20
PATIENCE = 120.0  # seconds that a whole file may take, however busily the other side drips
PIECE = 64 << 10


class TransferError(Exception):
    """An address did not give or take its file; the message does not hold the address, which is a right."""


def get(url: str, what: str, wanted: Wanted = lambda: True) -> IO[bytes]:
    """The file at an address, as it is sent, on disk; it goes when it is closed.

    Raises TransferError, also when it is not wanted any more.
    """
    with ExitStack() as failing:
        file = failing.enter_context(tempfile.TemporaryFile())
        _fetch(url, what, wanted, file)
        failing.pop_all()
    file.seek(0)
    return file


def _fetch(url: str, what: str, wanted: Wanted, file: IO[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    try:
        with _ask("GET", url, TRIES, FETCHING) as answer:
            while piece := answer.read1(PIECE):
                file.write(piece)
                if file.tell() > MAX_BYTES:
                    raise TransferError(f"{what} has more than {MAX_BYTES >> 20} MB")
                if time.monotonic() > until:
                    raise TransferError(f"{what} comes too slowly")
                _go_on(what, wanted)
            answer.release_conn()
    except urllib3.exceptions.HTTPError as error:
        raise TransferError(f"{what} could not be fetched") from error
    if answer.status != 200:
        raise TransferError(f"{what} could not be fetched: the answer was {answer.status}")


def put(
    url: str, data: bytes, content_type: str, what: str, tries: int = TRIES, wanted: Wanted = lambda: True
) -> None:
    """Store a file at an address.

    Raises TransferError when so many tries have failed, or when it is not wanted any more.
    """
    headers = {"Content-Type": content_type, "Content-Length": str(len(data))}
    try:
        answer = _ask("PUT", url, tries, STORING, body=_Body(data, what, wanted), headers=headers)
        answer.close()  # what a store says of a file that it took is not read
    except urllib3.exceptions.HTTPError as error:
        raise TransferError(f"{what} could not be stored") from error
    if answer.status >= 300:
        raise TransferError(f"{what} could not be stored: the answer was {answer.status}")


class _Body(io.BytesIO):
    """Sent a piece at a time, so that a timeout is for a piece and not for all of it."""

    def __init__(self, data: bytes, what: str, wanted: Wanted) -> None:
        super().__init__(data)
        self._what, self._wanted = what, wanted

    def read(self, size: int | None = -1, /) -> bytes:
        _go_on(self._what, self._wanted)
        return super().read(size)


def _go_on(what: str, wanted: Wanted) -> None:
    if not wanted():
        raise TransferError(f"{what} is not wanted any more")


def _ask(
    method: str, url: str, tries: int, timeout: urllib3.Timeout, **more: Any
) -> urllib3.BaseHTTPResponse:
    """The answer's head; its body is not read yet, and never unpacked."""
    return urllib3.request(
        method,
        url,
        timeout=timeout,
        retries=_retries(tries),
        redirect=False,
        preload_content=False,
        decode_content=False,
        **more,
    )


def _retries(tries: int) -> urllib3.Retry:
    """At once, then after 0.5 s, 1 s, 2 s …; the last answer is handed on whatever it is."""
    return urllib3.Retry(
        total=tries - 1,
        redirect=False,
        backoff_factor=0.5,
        status_forcelist=BUSY,
        raise_on_status=False,
        respect_retry_after_header=False,  # which may say hours
    )
