"""The server with the two-track model, over real sockets."""

from typing import Any

import numpy as np
import pytest

from model_container.tracks.model import TrackModel
from tests.engine.serving import Service, Store, samples
from tests.engine.tracks.serving import RATE, Clock, Held, clip, delivered, recording, serving_tracks, states


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


def test_clips_that_are_sent_together_are_charged_for_their_own_work_alone(
    model: TrackModel, store: Store
) -> None:
    clock = Clock(model.network)
    timed = TrackModel(model.codec, clock, model.device)
    with serving_tracks(timed, queue_size=3, clock=clock.read) as service:
        for number in range(4):
            service.begin(clip(store, id=f"c{number}", **delivered(store)))
        service.wait(lambda: len(_finished(store)) == 4)

    assert [state["work_s"] for state in _finished(store)] == [1.0] * 4


def _finished(store: Store) -> list[dict[str, Any]]:
    told = states(store) if "/progress" in store.files else []
    return [state for state in told if state["status"] == "finished"]


def test_the_last_word_is_said_again_until_it_is_heard(service: Service, store: Store) -> None:
    asked = clip(store, id="c3", **delivered(store))
    store.refusals["/progress"] = 2

    answer = service.post("/invocations", asked)

    assert states(store)[-1] == answer.json()
    assert states(store)[-1]["status"] == "finished"


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


def test_the_same_id_is_the_same_clip(slow: Service, held: Held, store: Store) -> None:
    asked = clip(store, id="same", **delivered(store))

    first, second = slow.begin(asked), slow.post("/invocations", {**asked, "respond_async": True})
    held.let_go()
    third = slow.post("/invocations", asked)

    assert (first.status, second.status, third.status) == (202, 200, 200)
    assert third.json()["status"] == "finished"
    assert len(store.files["/clip"]) == 1


def test_a_body_can_ask_what_a_header_cannot_where_headers_are_lost(
    slow: Service, held: Held, store: Store
) -> None:
    begun = slow.post("/invocations", clip(store, id="c5", respond_async=True, **delivered(store)))
    held.reached.wait()

    stopped = slow.post("/invocations", {"cancel": "c5"})
    held.let_go()
    slow.wait(lambda: "/progress" in store.files and states(store)[-1]["status"] == "canceled")
    again = slow.post("/invocations", {"cancel": "c5"})

    assert (begun.status, begun.json()["id"]) == (200, "c5")
    assert (stopped.status, stopped.json()) == (200, {"canceled": True})
    assert again.json() == slow.post("/invocations", {"cancel": "never"}).json() == {"canceled": False}
    assert slow.post("/invocations", {"cancel": "never", "more": 1}).status == 422
    assert "/clip" not in store.files


def test_a_clip_that_waits_can_be_stopped_and_leaves_its_place(
    slow: Service, held: Held, store: Store
) -> None:
    slow.begin(clip(store, id="w0", output_url=f"{store.url}/clip0"))
    held.reached.wait()
    slow.begin(clip(store, id="w1", output_url=f"{store.url}/clip1"))

    slow.delete("/invocations/w1")
    slow.wait(lambda: slow.get("/invocations/w1").json()["status"] == "canceled")
    held.let_go()
    slow.wait(lambda: slow.get("/invocations/w0").json()["status"] == "finished")

    assert "/clip1" not in store.files
    assert slow.engine.stats().columns == 1


def test_numbers_are_told(service: Service, store: Store) -> None:
    service.post("/invocations", clip(store))

    numbers = service.get("/metrics").json()

    assert (numbers["rounds"], numbers["songs_running"], numbers["songs_waiting"]) == (1, 0, 0)
    assert numbers["real_time_factor"] > 0
