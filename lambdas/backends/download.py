"""Fetches audio that a model's host keeps: from its own addresses, whole or not at all, within limits."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urljoin

import urllib3

from lambdas.core.errors import HostRefusal, TransientError

MOST = 64 << 20  # bytes: five minutes of stereo at 48 kHz in 16 bits, and as much again
PATIENCE = 60.0  # seconds that a whole file may take, however busily the other side drips
PIECE = 64 << 10
HOPS = 3  # redirects that are followed, each to an allowed address
TIMEOUT = urllib3.Timeout(connect=5, read=10)
GONE = (404, 410)
STREAMED = 0xFFFF_FFFF  # what a WAV says of its size when its writer did not know


@dataclass(frozen=True)
class Download:
    """`allowed` says which addresses may be asked at all; a host's answer is not trusted with that.

    A file is held in memory, `most` bytes of it, as it is looked at before any of it is stored.
    """

    http: urllib3.PoolManager
    allowed: Callable[[str], bool]
    most: int = MOST
    patience: float = PATIENCE

    def wav(self, url: str, headers: Mapping[str, str]) -> bytes | None:
        """The WAV at an address; None when it is no longer there.

        Raises HostRefusal for an address, a size or a kind of file that is not accepted, TransientError when
        the file could not be had this time.
        """
        until = time.monotonic() + self.patience
        for _ in range(HOPS + 1):
            response = self._open(url, headers)
            try:
                if response.status in GONE:
                    return None
                if response.status == 200:
                    return _whole(self._body(response, until))
                url = urljoin(url, _next(response))
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise TransientError(
                    "output_broken", "The audio broke off on its way from the host."
                ) from error
            finally:
                response.close()
        raise HostRefusal("output_elsewhere", "The host sends from address to address for its audio.")

    def _open(self, url: str, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        if not self.allowed(url):
            raise HostRefusal(
                "output_elsewhere", "The host says that its audio lies at somebody else's address."
            )
        try:
            return self.http.request(
                "GET",
                url,
                headers={**headers, "accept-encoding": "identity", "connection": "close"},
                timeout=TIMEOUT,
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise TransientError("output_unreachable", "The host does not hand out its audio.") from error

    def _body(self, response: urllib3.BaseHTTPResponse, until: float) -> bytes:
        said = response.headers.get("content-length", "")
        if said.isdigit() and int(said) > self.most:
            raise HostRefusal("output_too_large", "The host's audio is larger than any song.")
        body = bytearray()
        while piece := response.read1(PIECE):
            body += piece
            if len(body) > self.most:
                raise HostRefusal("output_too_large", "The host's audio is larger than any song.")
            if time.monotonic() > until:
                raise TransientError("output_slow", "The host hands out its audio too slowly.")
        return bytes(body)


def _next(response: urllib3.BaseHTTPResponse) -> str:
    location = response.headers.get("location", "")
    if 300 <= response.status < 400 and location:
        return location
    raise TransientError("output_refused", f"The host refused to hand out its audio ({response.status}).")


def _whole(wav: bytes) -> bytes:
    if wav[:4] != b"RIFF" or wav[8:12] != b"WAVE":
        raise HostRefusal("output_not_audio", "What the host made is not a WAV file.")
    promised = int.from_bytes(wav[4:8], "little")
    if promised != STREAMED and len(wav) < promised + 8:
        raise TransientError("output_broken", "The audio broke off on its way from the host.")
    return wav
