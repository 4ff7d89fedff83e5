"""What a server holds at a time is bounded: what comes in, what is made, and what nobody reads."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import urllib3

from model_container.engine.live import Engine
from model_container.engine.model import Model
from tests.engine.conftest import Folders
from tests.engine.serving import LONG, SONG, Drip, Service, Store, hanging, serving

UNREAD = {**SONG, "duration": 120}  # more than the sockets on its way hold
Alone = Callable[..., AbstractContextManager[Service]]

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends such connections")


@pytest.fixture
def alone(packs: Folders) -> Alone:
    """alone(stall) → a server with a single place."""
    return lambda stall=600.0: serving(Engine(Model.load(packs("text")), queue_size=0), stall=stall)


def dripping(drip: Drip) -> dict[str, object]:
    return {**SONG, "audio": {"url": drip.url, "role": "continue"}}


def free(service: Service) -> bool:
    return service.post("/invocations", SONG).status == 200


def test_nothing_is_fetched_for_who_is_refused(service: Service, drip: Drip) -> None:
    with hanging(service, LONG), hanging(service, LONG), hanging(service, LONG):
        service.wait(lambda: service.engine.stats().running + service.engine.stats().waiting == 3)

        refused = service.post("/invocations", dripping(drip))

    assert (refused.status, refused.json()["error"]["code"]) == (503, "busy")
    assert drip.asked == 0


def test_the_state_is_answered_while_inputs_still_come(service: Service, store: Store, drip: Drip) -> None:
    begun = service.begin({**dripping(drip), "id": "drip", "output_url": f"{store.url}/song"})

    service.wait(lambda: drip.asked == 1)
    state = service.get("/invocations/drip").json()

    assert begun.status == 202
    assert (state["status"], state["progress"]) == ("running", 0)
    service.delete("/invocations/drip")


def test_inputs_that_still_come_have_places_and_leave_them(
    service: Service, store: Store, drip: Drip
) -> None:
    for number in range(3):
        service.begin({**dripping(drip), "id": f"n{number}", "output_url": f"{store.url}/song"})
    service.wait(lambda: drip.asked == 3)

    refused = service.post("/invocations", SONG)
    for number in range(3):
        service.delete(f"/invocations/n{number}")
    service.wait(lambda: free(service))

    assert (refused.status, drip.asked) == (503, 3)
    assert service.get("/invocations/n0").json()["status"] == "canceled"


@pytest.mark.parametrize("delivered", [True, False])
def test_the_time_that_inputs_take_counts(
    service: Service, store: Store, drip: Drip, delivered: bool
) -> None:
    address = {"output_url": f"{store.url}/song", "progress_url": f"{store.url}/told"} if delivered else {}

    answer = service.post("/invocations", {**dripping(drip), **address, "deadline_s": 0.5})

    assert (answer.status, answer.json()["error"]["code"]) == (504, "deadline")
    if delivered:
        assert json.loads(store.files["/told"][-1])["error"] == answer.json()["error"]


def test_a_song_that_is_made_and_not_read_has_its_place(alone: Alone) -> None:
    with alone() as service:
        with hanging(service, UNREAD):
            service.wait(lambda: service.engine.stats().columns > 6000)
            service.wait(lambda: service.engine.stats().running == 0)

            refused = service.post("/invocations", SONG)
        service.wait(lambda: free(service))

    assert (refused.status, refused.json()["error"]["code"]) == (503, "busy")


@on_linux
def test_a_reader_that_takes_nothing_is_gone(alone: Alone) -> None:
    with alone(stall=1.0) as service, hanging(service, UNREAD):
        service.wait(lambda: service.engine.stats().columns > 6000)
        service.wait(lambda: free(service))


def test_a_reader_that_takes_too_long_loses_the_song(alone: Alone) -> None:
    with alone() as service, hanging(service, {**UNREAD, "stream": True, "deadline_s": 3}):
        service.wait(lambda: service.engine.stats().running == 1)
        service.wait(lambda: free(service))


@on_linux
def test_sigterm_ends_it_although_a_reader_takes_nothing(packs: Folders, tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    options = "--port", str(port), "--stall", "1"
    with (tmp_path / "log").open("wb") as log:
        command = [sys.executable, "-m", "model_container.serve", str(packs("text")), *options]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    service = Service(f"http://127.0.0.1:{port}", None)
    for _ in range(300):
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            if service.get("/ping").status == 200:
                break
        time.sleep(0.1)

    with hanging(service, {**UNREAD, "stream": True}):
        service.wait(lambda: service.get("/metrics").json()["columns"] > 0)
        process.send_signal(signal.SIGTERM)

        assert process.wait(timeout=60) in (0, -signal.SIGTERM)
