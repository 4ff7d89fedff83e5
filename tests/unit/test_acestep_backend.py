"""The ACE-Step backend from start to end, against a server that keeps its published contract."""

import io
import json
import socket
import wave
from collections.abc import Iterator
from dataclasses import replace

import pytest

from lambdas.backends import acestep_http
from lambdas.backends.mock import silence
from lambdas.core.errors import TransientError, Waking
from lambdas.core.pieces import Role, Ticket
from lambdas.core.ports import Failed, Finished, Input, Running
from tests.fakes.acestep import SECRETS
from tests.fakes.examples import PIECE
from tests.fakes.loopback import Answer
from tests.unit.acestep_site import TASK, TICKET, WORK, Site, a_site


@pytest.fixture
def site() -> Iterator[Site]:
    with a_site() as running:
        yield running


def test_a_song_is_followed_from_the_queue_to_its_end(site: Site) -> None:
    ticket = site.backend.start(WORK)

    states = [site.backend.check(WORK, ticket)]
    for _ in range(2):
        site.time.pass_by(6.5)
        states.append(site.backend.check(WORK, ticket))

    assert states == [
        Running(0.0, "Waiting (1 in the queue when it came)", 2.0),
        Running(0.5, "Generating music (batch size: 1)...", 2.0),
        Finished(
            cost_usd=0.08,
            revision="acestep-v15-turbo",
            report={"language_model": "acestep-5Hz-lm-1.7B", "seed": "42", "work_s": 8.0},
        ),
    ]
    assert site.stored == {WORK.output_url: silence(WORK.piece)}


def test_the_server_is_seen_awake_before_it_is_told_of_work(site: Site) -> None:
    site.backend.start(WORK)

    assert site.server.seen == ["GET /health", "POST /release_task"]


@pytest.mark.parametrize(
    "answer", [Answer(303, headers={"Location": "/again"}), Answer(503), Answer(hang_up=True)]
)
def test_a_server_that_is_still_starting_is_told_of_no_work(site: Site, answer: Answer) -> None:
    site.says(answer, path="/health")

    with pytest.raises(TransientError):
        site.backend.start(WORK)

    assert site.server.tasks == {}


def test_one_that_is_being_started_is_given_the_time_that_takes(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acestep_http, "READ_HEALTH", 0.05)

    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(Waking) as caught:
        replace(site.backend, url=f"http://127.0.0.1:{mute.getsockname()[1]}").start(WORK)

    assert (caught.value.code, caught.value.retry_after) == ("waking", 100.0)


def test_a_start_whose_answer_was_lost_is_not_sent_again_by_itself(site: Site) -> None:
    site.says(Answer(hang_up=True), path="/release_task")

    with pytest.raises(TransientError):
        site.backend.start(WORK)

    assert site.server.seen.count("POST /release_task") == 1


@pytest.mark.parametrize(
    ("role", "upload", "seconds"), [("reference", "reference_audio", 8.0), ("melody", "src_audio", 10.0)]
)
def test_a_recording_is_uploaded_and_a_tune_no_longer_than_its_cover(
    site: Site, role: Role, upload: str, seconds: float
) -> None:
    length = 8.0 if role == "reference" else 60.0
    site.server.recording = silence(PIECE.but(duration=length))

    site.backend.start(replace(WORK, inputs=(Input(role, site.server.input_url, length),)))

    (task,) = site.server.tasks.values()
    with wave.open(io.BytesIO(task.files[upload])) as audio:
        assert audio.getnframes() == seconds * audio.getframerate()
    assert (task.asked["prompt"], task.asked["seed"]) == (PIECE.effective_prompt, PIECE.seed)
    assert task.asked["use_random_seed"] is False


def test_a_recording_that_cannot_be_had_is_worth_another_try(site: Site) -> None:
    work = replace(WORK, inputs=(Input("melody", site.server.url + "/nowhere", 8.0),))

    with pytest.raises(TransientError):
        site.backend.start(work)

    assert site.server.tasks == {}


@pytest.mark.parametrize("ticket", ["", "nobody's", "[]", "{}", TICKET.id])
def test_work_that_the_server_forgot_is_worth_another_try(site: Site, ticket: str) -> None:
    state = site.backend.check(WORK, Ticket(id=ticket))

    assert isinstance(state, Failed)
    assert (state.code, state.transient) == ("unknown_work", True)


@pytest.mark.parametrize(
    ("error", "code", "elsewhere"),
    [
        (None, "generation_failed", False),
        ("Traceback: /app/acestep/handler.py", "generation_failed", False),
        ("torch.cuda.OutOfMemoryError: CUDA out of memory. /app/x.py", "out_of_memory", True),
    ],
)
def test_a_failure_is_told_without_the_servers_stack_trace(
    site: Site, error: str | None, code: str, elsewhere: bool
) -> None:
    ticket = site.backend.start(WORK)
    site.server.tasks[TASK].error = error or ""

    state = site.backend.check(WORK, ticket)

    assert isinstance(state, Failed)
    assert (state.code, state.transient, state.elsewhere) == (code, True, elsewhere)
    assert "/app" not in state.detail


def test_a_task_that_died_with_its_server_is_made_anew(site: Site) -> None:
    ticket = site.backend.start(WORK)
    site.time.pass_by(5)
    site.server.restart()
    states = []
    for _ in range(2):
        states.append(site.backend.check(WORK, ticket))
        site.time.pass_by(301)

    assert isinstance(states[0], Running)
    assert isinstance(states[1], Failed)
    assert (states[1].code, states[1].transient) == ("unknown_work", True)


def test_a_task_that_is_only_slow_is_waited_for(site: Site) -> None:
    site.server.works = 1000.0
    ticket = site.backend.start(WORK)
    site.time.pass_by(900)

    assert isinstance(site.backend.check(WORK, ticket), Running)


@pytest.mark.parametrize(("stage", "message"), [("running", "Making music"), ("Dancing\x07…", "Dancing…")])
def test_a_stage_is_told_where_it_tells_something(site: Site, stage: str, message: str) -> None:
    song = json.dumps([{"file": "", "status": 0, "progress": 0.25, "stage": stage}])
    data = [{"task_id": TASK, "status": 0, "result": song}]
    site.says(Answer(200, json.dumps({"data": data, "code": 200}).encode()))

    assert site.backend.check(WORK, TICKET) == Running(0.25, message, 2.0)


def test_the_servers_log_which_may_be_about_others_is_shown_to_nobody(site: Site) -> None:
    ticket = site.backend.start(WORK)

    state = site.backend.check(WORK, ticket)

    assert SECRETS not in repr(state)


def test_audio_that_a_restarted_server_lost_is_made_anew(site: Site) -> None:
    site.says(Answer(404, b'{"detail": "Audio file not found"}'), path="/v1/audio")

    state = site.finished()

    assert isinstance(state, Failed)
    assert (state.code, state.transient) == ("audio_gone", True)


def test_a_song_without_a_file_has_failed(site: Site) -> None:
    site.server.changes = {"file": ""}

    state = site.finished()

    assert isinstance(state, Failed)
    assert state.code == "no_audio"


@pytest.mark.parametrize(
    ("info", "seconds"),
    [
        (
            "**LM Time:**\n  - Phase 1: 1.00s\n  - Total: 3.00s\n\n**DiT Time:**\n  - Total: 4.50s",
            7.5,
        ),
        ("", 5.0),
        ("Total generation time: 99999999999s", 5.0),
    ],
)
def test_cost_goes_by_what_the_server_says_it_worked_or_by_what_is_expected(
    site: Site, info: str, seconds: float
) -> None:
    site.server.changes = {"generation_info": info}

    state = site.finished()

    assert isinstance(state, Finished)
    assert state.cost_usd == pytest.approx(seconds * 0.01)


def test_a_cancel_asks_nothing_of_a_server_that_cannot_stop(site: Site) -> None:
    site.backend.cancel(TICKET)

    assert site.server.seen == []
