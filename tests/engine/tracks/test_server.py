"""The server with the two-track model, over real sockets."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from model_container.engine.live import Engine
from model_container.engine.model import Model
from model_container.tracks.model import TrackModel
from tests.engine.serving import SONG, Service, Store, hanging, samples, serving
from tests.engine.tracks.conftest import Folders
from tests.engine.tracks.serving import RATE, Held, clip, recording, serving_tracks


@pytest.fixture(scope="module")
def model(track_packs: Folders) -> TrackModel:
    return TrackModel.load(track_packs())


@pytest.fixture
def service(model: TrackModel) -> Iterator[Service]:
    with serving_tracks(model) as running:
        yield running


@pytest.fixture
def held(model: TrackModel) -> Iterator[Held]:
    network = Held(model.network)
    yield network
    network.let_go()


@pytest.fixture
def slow(model: TrackModel, held: Held) -> Iterator[Service]:
    """One that makes clips only when it is let go, with room for one more."""
    with serving_tracks(TrackModel(model.codec, held, "cpu")) as running:
        yield running
        held.let_go()


def states(store: Store) -> list[dict[str, Any]]:
    return [json.loads(data) for data in store.files["/progress"]]


def delivered(store: Store) -> dict[str, str]:
    return {"output_url": f"{store.url}/clip", "progress_url": f"{store.url}/progress"}


def test_a_ping_says_which_model_it_is(service: Service) -> None:
    answer = service.get("/ping")

    about = {"kind": "tracks", "model": "cascade", "revision": "r7", "device": "cpu"}
    assert (answer.status, answer.json()) == (200, {"status": "ok", **about})


def test_without_an_address_the_answer_is_the_clip(service: Service, store: Store) -> None:
    answer, again = (service.post("/invocations", clip(store)) for _ in range(2))

    sound = samples(answer.data, RATE)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "audio/wav")
    assert sound.shape == (1, 2 * RATE)
    assert sound.std() > 100
    assert answer.data == again.data


def test_a_clip_has_sixteen_seconds_unless_another_length_is_asked_for(
    service: Service, store: Store
) -> None:
    asked = clip(store)
    del asked["duration"]

    answer = service.post("/invocations", asked)

    assert len(answer.data) == 768_044


def test_a_prompt_is_taken_and_not_heard(service: Service, store: Store) -> None:
    plain = service.post("/invocations", clip(store))
    told = service.post("/invocations", clip(store, prompt="faster", seed=3))

    assert told.data == plain.data


def test_a_clip_lies_at_its_address_before_its_end_is_told(service: Service, store: Store) -> None:
    answer = service.post("/invocations", clip(store, id="c1", **delivered(store)))

    *before, last = states(store)
    assert store.order[-2:] == ["/clip", "/progress"]
    assert before
    assert all(state["status"] == "running" and state["report"] is None for state in before)
    assert answer.json() == last
    assert (last["id"], last["status"], last["progress"], last["seconds"]) == ("c1", "finished", 1.0, 2.0)
    assert last["revision"] == "r7"
    assert samples(store.files["/clip"][0], RATE).shape == (1, 2 * RATE)


def test_the_report_says_how_far_it_is_from_the_plain_mix(service: Service, store: Store) -> None:
    state = service.post("/invocations", clip(store, **delivered(store))).json()

    report = state["report"]
    assert sorted(report) == ["correlation", "distance_db", "explained", "weight1", "weight2"]
    assert report["distance_db"] == pytest.approx(10 * np.log10(2 - 2 * report["correlation"]), abs=0.01)


def test_every_stage_is_told_in_the_words_of_the_table(slow: Service, held: Held, store: Store) -> None:
    slow.begin(clip(store, id="c2", **delivered(store)))
    held.reached.wait()
    slow.wait(lambda: "/progress" in store.files and states(store)[-1]["progress"] == 0.7)

    during = slow.get("/invocations/c2").json()
    held.let_go()
    slow.wait(lambda: states(store)[-1]["status"] == "finished")

    assert (during["status"], during["message"]) == ("running", "Generating music...")
    told = {state["message"]: state["progress"] for state in states(store)}
    table = {
        "Encoding with EnCodec...": 0.5,
        "Generating music...": 0.7,
        "Decoding audio...": 0.85,
        "Saving output...": 0.95,
        "Finished": 1.0,
    }
    assert told.items() <= table.items()
    assert {"Generating music...", "Finished"} <= told.keys()


def test_the_last_word_is_said_again_until_it_is_heard(service: Service, store: Store) -> None:
    asked = clip(store, id="c3", **delivered(store))
    store.refusals["/progress"] = 2

    answer = service.post("/invocations", asked)

    assert states(store)[-1] == answer.json()
    assert states(store)[-1]["status"] == "finished"


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


def test_only_the_segment_that_is_meant_is_heard(service: Service, store: Store) -> None:
    asked = clip(store)
    asked["tracks"] = [{"url": f"{store.url}/long", "start_time": 2.0, "end_time": 3.0}] * 2
    first, second = recording(5), recording(5, 555)
    inner = slice(44 + 2 * 2 * RATE, 44 + 2 * 3 * RATE)
    store.files["/long"] = [first[: inner.start] + second[inner] + first[inner.stop :]]
    within = service.post("/invocations", asked).data
    store.files["/long"] = [second]

    outside = service.post("/invocations", asked).data

    assert within == outside


def test_a_short_track_is_followed_by_silence(service: Service, store: Store) -> None:
    short = clip(store)
    store.files["/track1"] = [recording(0.7)]
    padded = np.pad(samples(recording(0.7), RATE)[0], (0, int(1.3 * RATE)))

    cut = service.post("/invocations", short).data
    data = recording(2)
    store.files["/track1"] = [data[:44] + padded.astype("<i2").tobytes()]

    assert service.post("/invocations", short).data == cut


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
    for number in range(2):
        slow.begin(clip(store, id=f"n{number}", output_url=f"{store.url}/clip{number}"))
    held.reached.wait()

    waiting = slow.get("/invocations/n1").json()
    refused = slow.begin(clip(store, id="n2", output_url=f"{store.url}/clip2"))
    held.let_go()
    slow.wait(lambda: slow.get("/invocations/n1").json()["status"] == "finished")
    accepted = slow.post("/invocations", clip(store, id="n2", output_url=f"{store.url}/clip2"))

    assert (waiting["status"], waiting["queue_position"]) == ("queued", 1)
    assert (refused.status, refused.json()["error"]["code"]) == (503, "busy")
    assert int(refused.headers["Retry-After"]) > 0
    assert accepted.json()["status"] == "finished"


def test_the_same_id_is_the_same_clip(slow: Service, held: Held, store: Store) -> None:
    asked = clip(store, id="same", **delivered(store))

    first, second = slow.begin(asked), slow.post("/invocations", {**asked, "respond_async": True})
    held.let_go()
    third = slow.post("/invocations", asked)

    assert (first.status, second.status, third.status) == (202, 202, 200)
    assert third.json()["status"] == "finished"
    assert len(store.files["/clip"]) == 1


def test_a_body_can_ask_what_a_header_cannot_where_headers_are_lost(
    slow: Service, held: Held, store: Store
) -> None:
    begun = slow.post("/invocations", clip(store, id="c5", respond_async=True, **delivered(store)))
    held.reached.wait()

    stopped = slow.post("/invocations", {"cancel": "c5"})
    held.let_go()
    slow.wait(lambda: states(store)[-1]["status"] == "canceled")
    again = slow.post("/invocations", {"cancel": "c5"})

    assert (begun.status, begun.json()["id"]) == (202, "c5")
    assert (stopped.status, stopped.json()) == (200, {"canceled": True})
    assert again.json() == slow.post("/invocations", {"cancel": "never"}).json() == {"canceled": False}
    assert slow.post("/invocations", {"cancel": "never", "more": 1}).status == 422
    assert "/clip" not in store.files


def test_a_clip_that_waits_can_be_stopped_and_leaves_its_place(
    slow: Service, held: Held, store: Store
) -> None:
    for number in range(2):
        slow.begin(clip(store, id=f"w{number}", output_url=f"{store.url}/clip{number}"))
    held.reached.wait()

    slow.delete("/invocations/w1")
    slow.wait(lambda: slow.get("/invocations/w1").json()["status"] == "canceled")
    held.let_go()
    slow.wait(lambda: slow.get("/invocations/w0").json()["status"] == "finished")

    assert "/clip1" not in store.files
    assert slow.engine.stats().columns == 1


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


def test_numbers_are_told(service: Service, store: Store) -> None:
    service.post("/invocations", clip(store))

    numbers = service.get("/metrics").json()

    assert (numbers["rounds"], numbers["songs_running"], numbers["songs_waiting"]) == (1, 0, 0)
    assert numbers["real_time_factor"] > 0


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
