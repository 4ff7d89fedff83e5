"""Posts to strangers' addresses: https only, never into a private network, never following a redirect."""

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import urllib3

from lambdas.core.addresses import is_public
from lambdas.core.errors import PermanentError, TransientError

TIMEOUT = urllib3.Timeout(connect=5, read=15)
PORT = 443
ANSWER_LIMIT = 64 * 1024  # bytes of an answer that are read at most


def resolve(host: str) -> Sequence[str]:
    try:
        return [str(info[4][0]) for info in socket.getaddrinfo(host, PORT, type=socket.SOCK_STREAM)]
    except OSError as error:
        raise TransientError("unresolved", "The webhook's host name has no address.") from error


@dataclass(frozen=True)
class Outbound:
    """Implements ports.Courier. Connects to the very address it checked: a name may change its mind."""

    lookup: Callable[[str], Sequence[str]] = resolve
    allowed: Callable[[str], bool] = is_public
    port: int = PORT
    ca_certs: str | None = None

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme != "https" or not host:
            raise PermanentError("not_https", "A webhook must be an https address.")
        addresses = self.lookup(host)
        if not addresses or not all(self.allowed(address) for address in addresses):
            raise PermanentError("private_address", "A webhook must not lead into a private network.")
        path = parts.path or "/"
        target = f"{path}?{parts.query}" if parts.query else path
        pool = urllib3.HTTPSConnectionPool(
            addresses[0],
            self.port,
            timeout=TIMEOUT,
            retries=False,
            server_hostname=host,
            assert_hostname=host,
            cert_reqs="CERT_REQUIRED",
            ca_certs=self.ca_certs,
        )
        try:
            answer = pool.request(
                "POST",
                target,
                body=body,
                headers={**headers, "host": host, "user-agent": "Cadenza-Webhooks"},
                redirect=False,
                preload_content=False,
            )
            answer.read(ANSWER_LIMIT)
        except urllib3.exceptions.HTTPError as error:
            raise TransientError("unreachable", "The webhook's address did not answer.") from error
        finally:
            pool.close()
        return answer.status
