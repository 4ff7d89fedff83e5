"""The ACE-Step backend against servers that refuse, answer without sense, or point elsewhere."""

import json
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from lambdas.backends.acestep_http import MOST_TOLD
from lambdas.backends.mock import silence
from lambdas.core.errors import BackendError, Busy, HostRefusal, PermanentError, TransientError, Waking
from lambdas.core.ports import Failed, Finished
from tests.fakes.acestep import FOLDER, SECRETS
from tests.fakes.examples import PIECE
from tests.fakes.loopback import Answer
from tests.unit.acestep_site import TASK, TICKET, WORK, Site, a_site


@pytest.fixture
def site() -> Iterator[Site]:
    with a_site() as running:
        yield running


def told(status: int = 0, task: str = TASK, result: object = None, **song: object) -> Answer:
    said = json.dumps([{"file": "", "status": status, **song}]) if result is None else result
    data = [{"task_id": task, "status": status, "result": said, "progress_text": SECRETS}]
    return Answer(200, json.dumps({"data": data, "code": 200, "error": None}).encode())


@pytest.mark.parametrize("credentials", ['{"api_key": "wrong"}', "{}", '{"api_key": "sk-secret"}'])
def test_a_server_that_does_not_know_us_is_left_for_the_next_host(site: Site, credentials: str) -> None:
    with pytest.raises(HostRefusal) as caught:
        replace(site.backend, credentials=lambda: credentials).check(WORK, TICKET)

    assert "wrong" not in caught.value.detail


@pytest.mark.parametrize(
    "credentials", ["", "sk-secret", '{"token": "sk-secret"}', '{"api_key": "a\\r\\nb: c"}']
)
def test_credentials_that_are_none_are_said_to_be_so_and_not_shown(site: Site, credentials: str) -> None:
    with pytest.raises(HostRefusal) as caught:
        replace(site.backend, credentials=lambda: credentials).start(WORK)

    assert caught.value.code == "bad_credentials"
    assert "sk-secret" not in caught.value.detail
    assert site.server.seen == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (303, Waking),
        (429, Busy),
        *((status, TransientError) for status in (408, 425, 500, 502, 503, 504)),
        *((status, HostRefusal) for status in (301, 302, 307, 401, 402, 403, 404, 405)),
        *((status, PermanentError) for status in (400, 413, 415, 422)),
    ],
)
def test_what_a_status_means(site: Site, status: int, kind: type[BackendError]) -> None:
    refusal = Answer(status, b"<html>", {"Location": site.server.url + "/health"})

    for path, act in (
        ("/release_task", lambda: site.backend.start(WORK)),
        ("/query_result", lambda: site.backend.check(WORK, TICKET)),
    ):
        site.says(refusal, path=path)
        with pytest.raises(BackendError) as caught:
            act()
        assert type(caught.value) is kind
    assert site.server.seen == ["GET /health", "POST /release_task", "POST /query_result"]


@pytest.mark.parametrize(("header", "wait"), [("7", 7.0), ("999999", 300.0), ("soon", 15.0), ("²", 15.0)])
def test_a_full_queue_says_when_to_come_again(site: Site, header: str, wait: float) -> None:
    site.says(Answer(429, b'{"detail": "Server busy"}', {"Retry-After": header}), path="/release_task")

    with pytest.raises(TransientError) as caught:
        site.backend.start(WORK)

    assert caught.value.retry_after == wait


def test_a_refusal_that_is_the_callers_is_passed_on_at_bearable_length(site: Site) -> None:
    site.says(Answer(400, json.dumps({"detail": "d" * 1000}).encode()), path="/release_task")

    with pytest.raises(PermanentError) as caught:
        site.backend.start(WORK)

    assert caught.value.detail == "d" * 300


@pytest.mark.parametrize(("code", "kind"), [(500, TransientError), (401, HostRefusal), (400, PermanentError)])
def test_a_refusal_within_the_envelope_counts(site: Site, code: int, kind: type[BackendError]) -> None:
    said = {"data": {"task_id": TASK, "status": "queued"}, "code": code, "error": "CUDA"}
    site.says(Answer(200, json.dumps(said).encode()), path="/release_task")

    with pytest.raises(BackendError) as caught:
        site.backend.start(WORK)

    assert type(caught.value) is kind


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=b""),
        Answer(body=b"{"),
        Answer(body=b"[]"),
        Answer(body=b'{"data": {}, "code": 200}'),
        Answer(body=b'{"data": [], "code": 200}'),
        told(task="another"),
        told(result=[{"file": "", "status": 0}]),  # encoded once
        told(result="{}"),
        told(result='"[]"'),
        told(result="garbage"),
        told(progress=2),
        told(3),
        Answer(body=told().body + b" " * MOST_TOLD),
        Answer(body=b"short", headers={"Content-Length": "50"}),
    ],
    ids=lambda answer: repr(answer.body[:60]),
)
def test_an_answer_without_sense_is_worth_another_try(site: Site, answer: Answer) -> None:
    site.says(answer)
    site.says(answer, path="/release_task")

    with pytest.raises(TransientError):
        site.backend.check(WORK, TICKET)
    with pytest.raises(TransientError):
        site.backend.start(WORK)


def test_an_answer_that_drips_is_hung_up_on(site: Site) -> None:
    with pytest.raises(TransientError):
        replace(site.backend, patience=-1).check(WORK, TICKET)


@pytest.mark.parametrize(
    "file",
    [
        f"http://169.254.169.254/v1/audio?path={FOLDER}/a.wav",
        f"//evil.example/v1/audio?path={FOLDER}/a.wav",
        f"file:///v1/audio?path={FOLDER}/a.wav",
        f"/v1/models?path={FOLDER}/a.wav",
        f"/v1/audio/../../release_task?path={FOLDER}/a.wav",
        f"/v1/audio?path={FOLDER}/../../../etc/a.wav",
        f"/v1/audio?path={FOLDER}%2F..%2F..%2Fa.wav",
        f"/v1/audio?path={FOLDER}/a.wav&path=/etc/passwd",
        f"/v1/audio?path={FOLDER}/a.wav&token=x",
        "/v1/audio?path=/etc/passwd",
        "/v1/audio?path=a%00.wav",
        "/v1/audio",
        "a.wav",
    ],
)
def test_audio_is_fetched_from_the_servers_own_files_alone(site: Site, file: str) -> None:
    site.server.changes = {"file": file}

    state = site.finished()

    assert isinstance(state, Failed)
    assert (state.code, state.elsewhere) == ("strange_address", True)
    assert site.stored == {}
    assert not [seen for seen in site.server.seen if "audio" in seen]


@pytest.mark.parametrize("root", ["http://elsewhere.example", ""])
def test_the_servers_own_address_before_the_path_is_fine(site: Site, root: str) -> None:
    file = f"{root or site.server.url}/v1/audio?path={FOLDER}/{TASK}.wav"
    site.server.changes = {"file": file}

    assert isinstance(site.finished(), Failed if root else Finished)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(302, headers={"Location": "http://169.254.169.254/latest"}), HostRefusal),
        (Answer(200, b"<html>not audio"), HostRefusal),
        (Answer(200, silence(PIECE)[:1000]), TransientError),
        (Answer(200, b"RIFF", {"Content-Length": "5000"}), TransientError),
        (Answer(500), TransientError),
        (Answer(hang_up=True), TransientError),
    ],
    ids=["elsewhere", "a page", "truncated", "cut off", "broken", "hung up"],
)
def test_audio_that_is_none_is_stored_nowhere(site: Site, answer: Answer, kind: type[BackendError]) -> None:
    site.says(answer, path="/v1/audio")

    with pytest.raises(kind):
        site.finished()

    assert site.stored == {}


def test_a_server_that_is_not_there_is_worth_another_try(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(TransientError) as caught:
        replace(site.backend, url=f"http://127.0.0.1:{port}").start(WORK)

    assert (caught.value.code, caught.value.retry_after) == ("unreachable", 0.0)
