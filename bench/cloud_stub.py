"""AWS as far as one `POST /generate` needs it: an HTTP server that answers at once and remembers nothing.

A process of its own, so that none of its work is counted as the client's. Its answers are the smallest that
botocore parses as success.
"""

import json
import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
TARGET = re.compile(rb"\r\nx-amz-target: *(\S+)", re.IGNORECASE)


class Answerer(socketserver.StreamRequestHandler):
    """One connection: HTTP/1.1, kept alive, bodies with a length."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        while head := self._head():
            length = LENGTH.search(head)
            body = self.rfile.read(int(length[1])) if length else b""
            target = TARGET.search(head)
            answer = json.dumps(_answer(target[1].decode() if target else "", body)).encode()
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: "
                + str(len(answer)).encode()
                + b"\r\n\r\n"
                + answer
            )

    def _head(self) -> bytes:
        lines = []
        for line in self.rfile:
            lines.append(line)
            if line == b"\r\n":
                return b"".join(lines)
        return b""


def _answer(target: str, body: bytes) -> dict[str, object]:
    operation = target.partition(".")[2]
    if operation == "Query":
        return {"Count": 0, "ScannedCount": 0, "Items": []}
    if operation == "SendMessageBatch":
        sent = [
            {"Id": entry["Id"], "MessageId": "1", "MD5OfMessageBody": ""}
            for entry in json.loads(body)["Entries"]
        ]
        return {"Successful": sent, "Failed": []}
    return {}


def _serve(told: Connection) -> None:
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answerer)
    server.daemon_threads = True
    told.send(server.server_address[1])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    told.poll(None)  # until the other end is closed


@contextmanager
def cloud_stub() -> Iterator[str]:
    """Runs while the block does; yields its address."""
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        ours.close()
        process.join(10)
