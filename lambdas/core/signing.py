"""Signed messages between machines, out and in: Standard Webhooks 1.0.0, symmetric signatures.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime

TOLERANCE = 300  # seconds that a message's timestamp may be off, either way
MOST_SIGNATURES = 8  # looked at; a sender that rotates its secret sends two
PREFIX = "whsec_"


def sign(secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """`v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`."""
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


def genuine(secrets: Sequence[bytes], headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
    """Whether a message was signed with one of the secrets, at about this time.

    headers: by lower-case name. Every signature is compared with every secret's, in constant time.
    """
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 12):
        return False
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE:
        return False
    given = headers.get("webhook-signature", "").split()[:MOST_SIGNATURES]
    if not message_id.isascii() or not all(map(str.isascii, given)):  # what is no text at all among it
        return False
    ours = [sign(secret, message_id, int(timestamp), body) for secret in secrets]
    matches = [hmac.compare_digest(a.encode(), b.encode()) for a in given for b in ours]
    return any(matches)


def secrets_in(text: str) -> tuple[bytes, ...]:
    """The keys in an operator's text: `whsec_` and base64, several of them while one is replaced.

    Raises ValueError for what is no such secret.
    """
    return tuple(_key(word) for word in text.split())


def _key(word: str) -> bytes:
    try:
        key = base64.b64decode(word.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("a webhook secret is whsec_ and base64") from error
    if not word.startswith(PREFIX) or not key:
        raise ValueError("a webhook secret is whsec_ and base64")
    return key
