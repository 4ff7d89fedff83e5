"""Puts raw audio at a presigned address, as a model's host does."""

import urllib3

from lambdas.core.errors import StoreFault

TIMEOUT = urllib3.Timeout(connect=5, read=30)
RETRIES = urllib3.Retry(total=2, status=0, respect_retry_after_header=False)


def put(url: str, audio: bytes) -> None:
    """Raises StoreFault: a refused upload may be an expired signature, which the next attempt renews."""
    try:
        answer = urllib3.request("PUT", url, body=audio, timeout=TIMEOUT, retries=RETRIES, redirect=False)
    except urllib3.exceptions.HTTPError as error:
        raise StoreFault("upload_failed", "The audio could not be stored.") from error
    if answer.status >= 300:
        raise StoreFault("upload_refused", f"The store refused the audio ({answer.status}).")
