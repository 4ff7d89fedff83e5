"""The server over real sockets: what SageMaker sends, and what a laptop sends."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import urllib3

from model_container.engine.live import Engine
from model_container.engine.model import Model
from tests.engine.conftest import Folders
from tests.engine.serving import LONG, SONG, Service, Store, hanging, samples, serving


def test_a_ping_is_answered(service: Service) -> None:
    answer = service.get("/ping")

    assert answer.status == 200
    assert answer.json() == {
        "status": "ok",
        "kind": "songs",
        "model": "tiny",
        "revision": "r1",
        "device": "cpu",
    }
    assert answer.headers["Cadenza-Wire"] == "1"


def test_without_an_address_the_answer_is_the_song(service: Service) -> None:
    answer = service.post("/invocations", SONG)
    again = service.post("/invocations", SONG)

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "audio/wav"
    assert answer.headers["Cadenza-Seed"] == "7"
    assert samples(answer.data).shape == (1, round(1.2 * 32000))
    assert samples(answer.data).std() > 0
    assert answer.data == again.data


def test_a_stereo_model_answers_in_stereo(packs: Folders) -> None:
    with serving(Engine(Model.load(packs("stereo")))) as service:
        assert samples(service.post("/invocations", SONG).data).shape == (2, round(1.2 * 32000))


def test_a_seed_that_was_drawn_is_told_and_makes_the_same_song(service: Service) -> None:
    first = service.post("/invocations", {"prompt": "x", "duration": 0.5})

    again = service.post(
        "/invocations", {"prompt": "x", "duration": 0.5, "seed": int(first.headers["Cadenza-Seed"])}
    )

    assert again.data == first.data


def test_the_song_begins_before_it_is_whole(service: Service) -> None:
    answer = service.post("/invocations", {**LONG, "stream": True}, preload_content=False)

    assert answer.read(4) == b"RIFF"
    assert service.engine.stats().running == 1
    answer.close()


def test_a_client_that_hangs_up_stops_its_song(service: Service) -> None:
    answer = service.post("/invocations", {**LONG, "stream": True}, preload_content=False)
    answer.read(1000)

    answer.close()

    service.wait(lambda: service.engine.stats().running == 0)
    assert service.engine.stats().columns < 15_000


def test_a_client_that_hangs_up_while_it_waits_for_the_whole_stops_it(service: Service) -> None:
    with hanging(service, LONG):
        service.wait(lambda: service.engine.stats().running == 1)

    service.wait(lambda: service.engine.stats().running == 0)
    assert service.engine.stats().columns < 15_000


def test_a_client_that_hangs_up_while_it_waits_for_a_delivery_stops_it(
    service: Service, store: Store
) -> None:
    with hanging(service, {**LONG, "id": "left", "output_url": f"{store.url}/song"}):
        service.wait(lambda: service.engine.stats().running == 1)

    service.wait(lambda: service.get("/invocations/left").json()["status"] == "canceled")
    assert store.files == {}


def test_a_song_is_put_at_its_address_with_its_progress(service: Service, store: Store) -> None:
    urls = {"output_url": f"{store.url}/song?signature=1", "progress_url": f"{store.url}/progress"}

    answer = service.post("/invocations", {**SONG, **urls, "id": "job-1"})
    expected = service.post("/invocations", SONG).data
    service.wait(lambda: len(store.files["/progress"]) > 1)

    state = answer.json()
    assert answer.status == 200
    assert (state["id"], state["status"], state["progress"], state["seconds"]) == (
        "job-1",
        "finished",
        1,
        1.2,
    )
    assert state["work_s"] > 0
    assert state["error"] is None
    assert store.files["/song?signature=1"] == [expected]
    first, last = (json.loads(data) for data in store.files["/progress"])
    assert first["status"] == "running"
    assert 0 < first["progress"] <= 1
    assert last == state


def test_a_recording_is_continued(service: Service, store: Store) -> None:
    recording = service.post("/invocations", SONG).data
    store.files["/recording"] = [recording]

    answer = service.post(
        "/invocations",
        {**SONG, "duration": 2, "audio": {"url": f"{store.url}/recording", "role": "continue"}},
    )

    assert samples(answer.data).shape == (1, 64000)


def test_a_melody_is_followed(packs: Folders, store: Store) -> None:
    with serving(Engine(Model.load(packs("melody")))) as service:
        store.files["/melody"] = [service.post("/invocations", {**SONG, "seed": 1}).data]

        with_it = service.post(
            "/invocations", {**SONG, "audio": {"url": f"{store.url}/melody", "role": "melody"}}
        )
        without = service.post("/invocations", SONG)

    assert (with_it.status, without.status) == (200, 200)
    assert with_it.data != without.data


def test_songs_that_nobody_waits_for_are_followed_by_id(service: Service, store: Store) -> None:
    asked = {**SONG, "id": "job-2", "output_url": f"{store.url}/song"}

    first, second = service.begin(asked), service.begin(asked)
    service.wait(lambda: service.get("/invocations/job-2").json()["status"] == "finished")
    third = service.post("/invocations", asked)

    assert (first.status, second.status, third.status) == (202, 202, 200)
    assert first.json()["status"] in ("queued", "running")
    assert third.json() == service.get("/invocations/job-2").json()
    assert len(store.files["/song"]) == 1


def test_songs_in_the_line_know_their_place(service: Service, store: Store) -> None:
    for number in range(2):
        service.begin({**LONG, "id": f"n{number}", "output_url": f"{store.url}/song"})
    service.wait(lambda: service.engine.stats().running == 2)
    service.begin({**LONG, "id": "n2", "output_url": f"{store.url}/song"})
    service.wait(lambda: service.engine.stats().waiting == 1)

    state = service.get("/invocations/n2").json()

    assert (state["status"], state["queue_position"]) == ("queued", 1)
    for number in range(3):
        service.delete(f"/invocations/n{number}")


def test_a_song_that_nobody_waits_for_can_be_stopped(service: Service, store: Store) -> None:
    service.begin({**LONG, "id": "job-3", "output_url": f"{store.url}/song"})

    assert service.delete("/invocations/job-3").status == 204
    service.wait(lambda: service.get("/invocations/job-3").json()["status"] == "canceled")

    assert service.delete("/invocations/job-3").status == 204
    assert service.delete("/invocations/never").status == 204
    assert service.get("/invocations/never").status == 404
    assert store.files == {}


def test_numbers_are_told(service: Service) -> None:
    service.post("/invocations", SONG)

    numbers = service.get("/metrics").json()

    assert (numbers["rounds"], numbers["batch_size"], numbers["songs_running"]) == (63, 1, 0)
    assert numbers["real_time_factor"] > 0
    assert numbers["steps_per_second"] > 0
    assert numbers["resident_bytes"] > 1e6


def test_sigterm_lets_songs_end_and_logs_are_json(packs: Folders, store: Store, tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "model_container.serve", str(packs("text")), "--host", "127.0.0.1"]
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen([*command, "--port", str(port)], stdout=output, stderr=output)
    pool = urllib3.PoolManager()
    for _ in range(300):
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            if pool.request("GET", f"http://127.0.0.1:{port}/ping", retries=False).status == 200:
                break
        time.sleep(0.1)

    body = json.dumps({**SONG, "duration": 10, "id": "last", "output_url": f"{store.url}/song"})
    url = f"http://127.0.0.1:{port}/invocations"
    begun = pool.request("POST", url, body=body, headers={"Prefer": "respond-async"})
    assert begun.status == 202
    process.send_signal(signal.SIGTERM)

    assert process.wait(timeout=60) in (0, -signal.SIGTERM)
    assert samples(store.files["/song"][0]).shape == (1, 320_000)
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert {"loaded", "song ended"} <= {event["message"] for event in events}
