"""The server with the two-track model, when something is wrong with what is asked, the store or the time."""

from typing import Any

import numpy as np
import pytest

from model_container.engine.live import Engine
from model_container.engine.model import Model
from model_container.tracks.model import TrackModel
from tests.engine.conftest import Folders
from tests.engine.serving import SONG, Service, Store, hanging, serving
from tests.engine.tracks.serving import Held, clip, delivered, serving_tracks, states


def test_what_is_refused_is_told_where_the_caller_looks(service: Service, store: Store) -> None:
    asked = clip(store, id="c4", **delivered(store))
    asked["tracks"][0]["start_time"] = 3.0

    answer = service.post("/invocations", asked)

    (state,) = states(store)
    assert answer.status == 422
    assert (state["id"], state["status"], state["error"]) == ("c4", "failed", answer.json()["error"])
    assert state["error"]["transient"] is False
    assert "track 1: a start at 3 s is past the end, 3 s" in state["error"]["detail"]


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("start", [3.5, 1e9])
def test_a_start_past_the_end_is_refused(service: Service, store: Store, number: int, start: float) -> None:
    asked = clip(store)
    asked["tracks"][number]["start_time"] = start

    answer = service.post("/invocations", asked)

    assert answer.status == 422
    assert f"track {number + 1}" in answer.json()["error"]["detail"]


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"tracks": []}, "tracks"),
        ({"tracks": [{"url": "https://x"}]}, "tracks"),
        ({"tracks": [{"url": "https://x"}] * 3}, "tracks"),
        ({"tracks": [{"url": "https://x"}, {"url": "file:///etc/passwd"}]}, "tracks.1.url"),
        ({"tracks": [{"url": "https://x"}, {"url": "https://x", "start_time": -1}]}, "tracks.1.start_time"),
        ({"tracks": [{"url": "https://x"}, {"url": "https://x", "gain": 1}]}, "tracks.1.gain"),
        ({"tracks": [{"url": "https://x", "start_time": 2, "end_time": 1}] * 2}, "end_time"),
        ({"duration": 0.5}, "duration"),
        ({"duration": 27}, "duration"),
        ({"temperature": 1}, "temperature"),
        ({"audio": {"url": "https://x", "role": "melody"}}, "audio"),
        ({"model": "other"}, "model"),
    ],
)
def test_what_is_no_request_is_told_so(service: Service, store: Store, change: Any, detail: str) -> None:
    answer = service.post("/invocations", clip(store, **change))

    error = answer.json()["error"]
    assert (answer.status, error["code"], error["transient"]) == (422, "invalid", False)
    assert detail in error["detail"]


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"[" * 60_000, 400), (b"[]", 422), (b"{}", 422), (b"x" * 100_000, 413)],
)
def test_bodies_of_no_sense_are_refused(service: Service, body: bytes, status: int) -> None:
    assert service.post("/invocations", body).status == status


def test_not_a_number_is_no_time(service: Service) -> None:
    body = b'{"tracks": [{"url": "https://x", "start_time": NaN}, {"url": "https://x"}]}'

    assert service.post("/invocations", body).status == 422


def test_songs_take_no_tracks_and_tracks_need_some(service: Service, store: Store) -> None:
    assert "tracks" in service.post("/invocations", SONG).json()["error"]["detail"]


def test_what_is_no_wav_is_told_so(service: Service, store: Store) -> None:
    asked = clip(store)
    store.files["/track2"] = [b"la la la"]
    text = service.post("/invocations", asked)
    del store.files["/track2"]
    missing = service.post("/invocations", asked)

    assert (text.status, missing.status) == (422, 502)
    assert "track 2: an input is not a PCM WAV file" in text.json()["error"]["detail"]
    assert missing.json()["error"]["transient"]


def test_beyond_capacity_one_is_asked_to_come_back(slow: Service, held: Held, store: Store) -> None:
    slow.begin(clip(store, id="n0", output_url=f"{store.url}/clip0"))
    held.reached.wait()
    slow.begin(clip(store, id="n1", output_url=f"{store.url}/clip1"))
    slow.wait(lambda: slow.get("/invocations/n1").json()["status"] == "queued")

    waiting = slow.get("/invocations/n1").json()
    refused = slow.begin(clip(store, id="n2", output_url=f"{store.url}/clip2"))
    held.let_go()
    slow.wait(lambda: slow.get("/invocations/n1").json()["status"] == "finished")
    accepted = slow.post("/invocations", clip(store, id="n2", output_url=f"{store.url}/clip2"))

    assert (waiting["status"], waiting["queue_position"]) == ("queued", 1)
    assert (refused.status, refused.json()["error"]["code"]) == (503, "busy")
    assert int(refused.headers["Retry-After"]) > 0
    assert accepted.json()["status"] == "finished"


def test_a_clip_stops_when_its_time_is_up(slow: Service, held: Held, store: Store) -> None:
    answer = slow.post("/invocations", clip(store, deadline_s=0.3, **delivered(store)))

    assert (answer.status, answer.json()["error"]["code"]) == (504, "deadline")
    assert states(store)[-1]["status"] == "failed"
    assert "/clip" not in store.files


def test_a_client_that_hangs_up_stops_its_clip(slow: Service, held: Held, store: Store) -> None:
    with hanging(slow, clip(store, id="left", **delivered(store))):
        held.reached.wait()

    slow.wait(lambda: slow.get("/invocations/left").json()["status"] == "canceled")
    assert "/clip" not in store.files


def test_a_store_that_refuses_is_told(service: Service, store: Store) -> None:
    asked = clip(store, id="lost", output_url=f"{store.url}/clip", progress_url=f"{store.url}/progress")
    store.refusals["/clip"] = 99

    answer = service.post("/invocations", asked)

    assert (answer.status, answer.json()["error"]["code"]) == (502, "transfer_failed")
    assert states(store)[-1]["error"] == answer.json()["error"]


def test_one_clip_that_breaks_does_not_end_the_next(model: TrackModel, store: Store) -> None:
    broken = [True]

    def network(track1: np.ndarray, track2: np.ndarray) -> np.ndarray:
        return np.full_like(track1, np.nan) if broken[0] else model.network(track1, track2)

    with serving_tracks(TrackModel(model.codec, network, "cpu")) as service:
        first = service.post("/invocations", clip(store, **delivered(store)))
        broken.clear()
        broken.append(False)
        second = service.post("/invocations", clip(store))

    assert (first.status, first.json()["error"]["code"]) == (500, "failed")
    assert states(store)[-1]["status"] == "failed"
    assert "/clip" not in store.files
    assert second.status == 200


def test_an_engine_that_stops_says_so(service: Service, store: Store) -> None:
    service.engine.close()

    ping, made = service.get("/ping"), service.post("/invocations", clip(store))

    assert (ping.status, made.status) == (503, 503)
    assert made.json()["error"]["code"] == "stopping"


def test_musicgen_takes_no_tracks(packs: Folders, store: Store) -> None:
    with serving(Engine(Model.load(packs("text")))) as songs:
        answer = songs.post("/invocations", {**SONG, "tracks": clip(store)["tracks"]})

    assert answer.status == 422
    assert "tracks" in answer.json()["error"]["detail"]
