"""What a host has put at a work's progress address, read over its presigned link."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import urllib3

from lambdas.core.errors import StoreFault

LARGEST = 64 << 10  # bytes
TIMEOUT = urllib3.Timeout(connect=3, read=10)
RETRIES = urllib3.Retry(total=1, redirect=0, status=0, respect_retry_after_header=False)


@dataclass(frozen=True, slots=True)
class Seen:
    """`age`: seconds since it was put there, by the store's own clock."""

    body: bytes
    age: float


Look = Callable[[str], Seen | None]  # a presigned link → what lies there, None when nothing does


def look(link: str) -> Seen | None:
    """Raises StoreFault; a link that is refused may have died with its signer's session."""
    try:
        answer = urllib3.request(
            "GET", link, timeout=TIMEOUT, retries=RETRIES, redirect=False, preload_content=False
        )
        body = answer.read(LARGEST + 1)
        answer.release_conn()
    except urllib3.exceptions.HTTPError as error:
        raise StoreFault("progress_unreadable", "The store of progress does not answer.") from error
    if answer.status == 404:
        return None
    if answer.status != 200 or len(body) > LARGEST:
        raise StoreFault("progress_unreadable", f"The progress cannot be read ({answer.status}).")
    return Seen(body, _age(answer.headers))


def _age(headers: Mapping[str, str]) -> float:
    try:
        put, now = (parsedate_to_datetime(headers[name]) for name in ("Last-Modified", "Date"))
        return max(0.0, (now - put).total_seconds())
    except (KeyError, ValueError, TypeError):
        return 0.0
