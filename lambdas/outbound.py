"""Posts to strangers' addresses: https only, never into a private network, never following a redirect."""

import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from threading import Timer
from urllib.parse import urlsplit

from urllib3.connection import HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

from lambdas.core.addresses import is_public
from lambdas.core.errors import PermanentError, TransientError

PORT = 443
SILENCE = 10.0  # seconds without a byte that are borne
PATIENCE = 20.0  # seconds that a whole exchange may take, however busily the other side drips


def resolve(host: str) -> Sequence[str]:
    """A name's addresses, IPv4 first: a function outside a private network has no other way out."""
    try:
        found = socket.getaddrinfo(host, PORT, type=socket.SOCK_STREAM)
    except OSError as error:
        raise TransientError("unresolved", "The webhook's host name has no address.") from error
    return sorted((str(info[4][0]) for info in found), key=lambda address: ":" in address)


@dataclass(frozen=True)
class Outbound:
    """Implements ports.Courier. Connects to the very address it checked: a name may change its mind."""

    lookup: Callable[[str], Sequence[str]] = resolve
    allowed: Callable[[str], bool] = is_public
    port: int = PORT
    ca_certs: str | None = None
    silence: float = SILENCE
    patience: float = PATIENCE

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        host, target = _taken_apart(url)
        addresses = self.lookup(host)
        if not addresses or not all(self.allowed(address) for address in addresses):
            raise PermanentError("private_address", "A webhook must not lead into a private network.")
        connection = HTTPSConnection(
            addresses[0],
            self.port,
            timeout=self.silence,
            server_hostname=host,
            cert_reqs="CERT_REQUIRED",
            ca_certs=self.ca_certs,
        )
        named = f"[{host}]" if ":" in host else host
        told = {**headers, "host": named, "user-agent": "Cadenza-Webhooks", "connection": "close"}
        try:
            return self._status(connection, target, body, told)
        except (HTTPError, HTTPException, OSError) as error:
            raise TransientError("unreachable", "The webhook's address did not answer.") from error
        finally:
            connection.close()

    def _status(
        self, connection: HTTPSConnection, target: str, body: bytes, headers: Mapping[str, str]
    ) -> int:
        """The status is all that is wanted of an answer; its body is never read."""
        watch = Timer(self.patience, _hang_up, [connection])
        watch.daemon = True
        watch.start()
        try:
            connection.request("POST", target, body=body, headers=headers, preload_content=False)
            return connection.getresponse().status
        finally:
            watch.cancel()


def _taken_apart(url: str) -> tuple[str, str]:
    """The host, in ASCII, and the request's target, percent-encoded. Raises PermanentError."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
        rest = parts._replace(scheme="", netloc="", fragment="").geturl()
        target = parse_url(f"https://host/{rest.removeprefix('/')}").request_uri
    except (ValueError, HTTPError) as error:
        raise PermanentError("not_an_address", "A webhook must be an https address.") from error
    if parts.scheme != "https" or not host:
        raise PermanentError("not_https", "A webhook must be an https address.")
    return host, target


def _hang_up(connection: HTTPSConnection) -> None:
    with suppress(OSError, AttributeError):
        # Not the TLS socket's own shutdown: that would take the session from under its reader.
        socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)
