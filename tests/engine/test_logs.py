"""What the server logs of the addresses that it is given."""

import json
import logging
from collections.abc import Callable, Iterator

import pytest

from model_container.server import transfer
from model_container.server.logs import JsonFormatter

NOBODY = "http://127.0.0.1:1/raw/job-1/1?X-Amz-Credential=us&X-Amz-Signature=a-right"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """All that has been logged, by whomever, as the server writes it."""
    written: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: written.append(JsonFormatter().format(record))  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    yield written
    logging.getLogger().removeHandler(handler)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: transfer.get(NOBODY, "the input audio"),
        lambda: transfer.put(NOBODY, b"RIFF", "audio/wav", "the audio", tries=2),
    ],
)
def test_no_presigned_address_is_logged(ask: Callable[[], object], log: list[str]) -> None:
    try:
        ask()
    except transfer.TransferError as error:
        logging.getLogger("server").error("song ended", exc_info=error)

    assert "/raw/job-1/1?..." in json.loads(log[-1])["error"]
    assert "connection broken" in log[0]
    assert not [line for line in log if "X-Amz" in line]
