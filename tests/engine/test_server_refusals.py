"""The server when something is wrong with the request, the store, the queue or the time."""

import threading
from typing import Any

import pytest

from tests.engine.serving import LONG, SONG, Service, Store


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"{", "JSON"),
        ({"duration": 3}, "prompt"),
        ({**SONG, "duration": 301}, "duration"),
        ({**SONG, "tempo": 3}, "tempo"),
        ({**SONG, "output_url": "file:///etc/passwd"}, "output_url"),
        ({**SONG, "guidance": 0}, "guidance"),
    ],
)
def test_what_is_no_request_is_told_so(service: Service, body: Any, detail: str) -> None:
    answer = service.post("/invocations", body)

    assert answer.status == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "invalid_request"
    assert detail in answer.json()["detail"]


def test_what_the_model_cannot_do_is_told_so(service: Service, store: Store) -> None:
    store.files["/melody"] = [service.post("/invocations", SONG).data]
    store.files["/text"] = [b"la la la"]

    melody = service.post("/invocations", {**SONG, "melody_url": f"{store.url}/melody"})
    text = service.post("/invocations", {**SONG, "continue_url": f"{store.url}/text"})
    missing = service.post("/invocations", {**SONG, "continue_url": f"{store.url}/nothing?secret=1"})

    assert (melody.status, text.status, missing.status) == (400, 400, 502)
    assert "no melody" in melody.json()["detail"]
    assert "not a PCM WAV" in text.json()["detail"]
    assert "the answer was 404" in missing.json()["detail"]
    assert "secret" not in missing.json()["detail"]


def test_a_request_that_is_too_long_is_not_read(service: Service) -> None:
    assert service.post("/invocations", {"prompt": "x" * 100_000}).status == 413


def test_a_store_that_refuses_is_told(service: Service, store: Store) -> None:
    store.status = 403

    answer = service.post("/invocations", {**SONG, "output_url": f"{store.url}/song"})

    assert answer.status == 502
    assert answer.json()["code"] == "transfer_failed"


def test_a_full_queue_asks_to_come_back(service: Service) -> None:
    open_answers = [service.post("/invocations", LONG, preload_content=False) for _ in range(2)]
    waiting = threading.Thread(target=service.post, args=("/invocations", SONG))
    waiting.start()
    service.wait(lambda: service.engine.stats().waiting == 1)

    refused = service.post("/invocations", SONG)

    assert refused.status == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.json()["code"] == "busy"
    for answer in open_answers:
        answer.close()
    waiting.join()


def test_a_song_stops_when_its_time_is_up(service: Service, store: Store) -> None:
    answer = service.post("/invocations", {**LONG, "output_url": f"{store.url}/song", "timeout": 0.5})

    assert answer.status == 504
    service.wait(lambda: service.engine.stats().running == 0)
    assert store.files == {}
