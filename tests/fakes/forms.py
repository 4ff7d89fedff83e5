"""Reads what a client posts, as JSON or as a form with files."""

import email
import json
from email.message import Message
from typing import Any


def form(headers: Message, body: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Fields, a form's text read as the numbers that it stands for, and files."""
    kind = headers["content-type"]
    if kind.startswith("application/json"):
        return json.loads(body), {}
    parts = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    fields: dict[str, Any] = {}
    files: dict[str, bytes] = {}
    for part in parts.walk():
        name, content = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(content, bytes):
            continue
        if part.get_filename() is None:
            fields[name] = _read(content.decode())
        else:
            assert part.get_filename() == "input.wav"
            files[name] = content
    return fields, files


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
