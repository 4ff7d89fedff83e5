"""The server when something is wrong with the request, the store, the queue or the time."""

import threading
from typing import Any

import pytest

from model_container.engine import generate
from model_container.engine.decoder import FloatArray, IntArray
from model_container.engine.sampling import Sampling, sample
from tests.engine.serving import LONG, SONG, Service, Store


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"[]", "dictionary"),
        ({"duration": 3}, "prompt"),
        ({**SONG, "duration": 301}, "duration"),
        ({**SONG, "tempo": 3}, "tempo"),
        ({**SONG, "output_url": "file:///etc/passwd"}, "output_url"),
        ({**SONG, "guidance": 0}, "guidance"),
        ({**SONG, "prompt": ""}, "prompt"),
        ({**SONG, "top_p": 1e-17}, "top_p"),
        ({**SONG, "audio": {"url": "https://x", "role": "drums"}}, "audio.role"),
        (b'{"prompt": "x", "temperature": NaN}', "temperature"),
    ],
)
def test_what_is_no_request_is_told_so(service: Service, body: Any, detail: str) -> None:
    answer = service.post("/invocations", body)

    error = answer.json()["error"]
    assert answer.status == 422
    assert (error["code"], error["transient"]) == ("invalid", False)
    assert detail in error["detail"]


def test_what_is_no_json_is_told_so(service: Service) -> None:
    answer = service.post("/invocations", b"{")

    assert answer.status == 400
    assert answer.json()["error"]["code"] == "malformed"
    assert answer.headers["Cadenza-Wire"] == "1"


def test_no_web_page_has_it_put_anything_anywhere(service: Service, store: Store) -> None:
    body = {**SONG, "output_url": f"{store.url}/audio"}

    answer = service.post(
        "/invocations", body, headers={"Origin": "https://website.example", "Content-Type": "text/plain"}
    )

    assert (answer.status, answer.json()["error"]["code"]) == (403, "barred")
    assert store.files == {}


def test_what_the_model_cannot_do_is_told_so(service: Service, store: Store) -> None:
    store.files["/melody"] = [service.post("/invocations", SONG).data]
    store.files["/text"] = [b"la la la"]

    def ask(path: str, role: str) -> Any:
        return service.post("/invocations", {**SONG, "audio": {"url": store.url + path, "role": role}})

    melody, text, missing = (
        ask("/melody", "melody"),
        ask("/text", "continue"),
        ask("/no?secret=1", "continue"),
    )

    assert (melody.status, text.status, missing.status) == (422, 422, 502)
    assert "no melody" in melody.json()["error"]["detail"]
    assert "not a PCM WAV" in text.json()["error"]["detail"]
    assert "the answer was 404" in missing.json()["error"]["detail"]
    assert missing.json()["error"]["transient"]
    assert "secret" not in missing.json()["error"]["detail"]


def test_a_request_that_is_too_long_is_not_read(service: Service) -> None:
    assert service.post("/invocations", {"prompt": "x" * 100_000}).status == 413


def test_a_store_that_refuses_is_told(service: Service, store: Store) -> None:
    store.status = 403

    answer = service.post("/invocations", {**SONG, "id": "lost", "output_url": f"{store.url}/song"})

    state = service.get("/invocations/lost").json()
    assert answer.status == 502
    assert answer.json()["error"] == state["error"]
    assert state["status"] == "failed"
    assert state["error"]["code"] == "transfer_failed"
    assert "the answer was 403" in state["message"]


def test_a_full_queue_asks_to_come_back(service: Service) -> None:
    open_answers = [
        service.post("/invocations", {**LONG, "stream": True}, preload_content=False) for _ in range(2)
    ]
    waiting = threading.Thread(target=service.post, args=("/invocations", SONG))
    waiting.start()
    service.wait(lambda: service.engine.stats().waiting == 1)

    refused = service.post("/invocations", SONG)

    assert refused.status == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.json()["error"]["code"] == "busy"
    for answer in open_answers:
        answer.close()
    waiting.join()


@pytest.mark.parametrize("delivered", [True, False])
def test_a_song_stops_when_its_time_is_up(service: Service, store: Store, delivered: bool) -> None:
    address = {"output_url": f"{store.url}/song"} if delivered else {}

    answer = service.post("/invocations", {**LONG, **address, "deadline_s": 0.5})

    assert answer.status == 504
    assert answer.json()["error"]["code"] == "deadline"
    service.wait(lambda: service.engine.stats().running == 0)
    assert store.files == {}


def test_one_request_that_breaks_its_song_breaks_no_other(
    service: Service, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def choose(logits: FloatArray, sampling: Sampling, step: int) -> IntArray:
        if sampling.top_k == 13:
            raise IndexError("nothing to choose from")
        return sample(logits, sampling, step)

    monkeypatch.setattr(generate, "sample", choose)
    service.begin({**SONG, "duration": 10, "id": "beside", "output_url": f"{store.url}/song"})
    service.wait(lambda: service.engine.stats().running == 1)

    broken = service.post("/invocations", {**SONG, "top_k": 13})

    assert (broken.status, broken.json()["error"]["code"]) == (500, "failed")
    service.wait(lambda: service.get("/invocations/beside").json()["status"] == "finished")


def test_an_engine_that_stops_says_so(service: Service) -> None:
    service.engine.close()

    ping, song = service.get("/ping"), service.post("/invocations", SONG)

    assert (ping.status, song.status) == (503, 503)
    assert song.json()["error"]["code"] == "stopping"
