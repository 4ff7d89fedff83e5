"""Nothing that a host says reaches a song's owner but as plain text: of each host, by each way."""

import json
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from lambdas.backends.acestep import AceStepBackend
from lambdas.backends.container import ContainerBackend
from lambdas.backends.progress import Seen
from lambdas.backends.words import MOST, plain
from lambdas.core.errors import BackendError
from lambdas.core.ports import Backend, Failed, Finished, Running, Work
from tests.fakes.acestep import AceStep
from tests.fakes.container import Container
from tests.fakes.examples import NOW, PIECE, a_work
from tests.fakes.loopback import Answer
from tests.fakes.replicate import Replicate, connect, problem
from tests.fakes.sagemaker import Endpoint, Refusal, model_error
from tests.fakes.stores import MemoryObjects, Time

SECRETS = (
    "https://bucket.example/raw?X-Amz-Signature=5ec4e7",
    "s3://bucket/raw/5ec4e7",
    "r8_5ec4e75ec4e7",
    "Bearer 5ec4e7",
    "api_key=5ec4e7",
    '"token": "5ec4e7"',
    "arn:aws:iam::123456789012:role/5ec4e7",
    "AKIA5EC4E75EC4E75EC4",
)
NASTY = "<script>alert(1)</script>\x1b[31m\x00\u202e\r\n" + " ".join(SECRETS) + " because" + "e" * 5000
Outcome = Running | Finished | Failed | BackendError


class Site:
    def __init__(self) -> None:
        self.time = Time(NOW)
        self.work = a_work(MemoryObjects(self.time), 1, PIECE.but(model="musicgen-small", duration=2.0))


Way = Callable[[Site], Outcome]


@given(st.text())
def test_whatever_is_said_is_shown_as_one_line_of_letters(said: str) -> None:
    shown = plain(said)

    assert shown.isprintable()
    assert not set("<>") & set(shown)
    assert len(shown) <= MOST
    assert plain(shown) == shown


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("words", ["{}", "it said {}!", "({})", "a\n{}\tb"])
def test_addresses_and_keys_are_left_out(secret: str, words: str) -> None:
    assert "5ec4e7" not in plain(words.format(secret)).lower()


@pytest.mark.parametrize(
    "reason",
    [
        "Prompt is longer than audio to generate",
        "CUDA out of memory: 3.2 GB of 16 GB",
        "Not this: “déjà vu” 🎵",
    ],
)
def test_a_plain_reason_stays_as_it_is(reason: str) -> None:
    assert plain(reason) == reason


def test_a_reason_keeps_its_words_though_much_before_it_cannot_be_shown() -> None:
    assert plain("\x00" * 1000 + "No room.") == "No room."


def told(host: Backend, work: Work, before_check: Callable[[], object] = lambda: None) -> Outcome:
    try:
        ticket = host.start(work)
        before_check()
        return host.check(work, ticket)
    except BackendError as error:
        return error


def shown(outcome: Outcome) -> list[str]:
    """What of it a song's owner may come to see."""
    match outcome:
        case Running(message=message):
            return [message]
        case Finished(revision=revision, report=report):
            return [revision or "", *(str(each) for pair in (report or {}).items() for each in pair)]
        case Failed(detail=detail):
            return [detail]
    return [outcome.detail]


def by_container(answer: Mapping[str, Any], status: int = 200, *, later: bool = True) -> Way:
    def way(world: Site) -> Outcome:
        with Container() as server, urllib3.PoolManager() as http:
            said = [Answer(status, json.dumps(answer).encode())]
            if not later:
                server.answers = said
            return told(
                ContainerBackend(server.url, http), world.work, lambda: setattr(server, "answers", said)
            )

    return way


def by_replicate(error: str | None, *answers: Answer) -> Way:
    def way(world: Site) -> Outcome:
        def fail() -> None:
            world.time.pass_by(120)
            for prediction in server.predictions.values():
                prediction.error = error

        with Replicate(world.time) as server, urllib3.PoolManager() as http:
            server.answers = list(answers)
            return told(connect(server, http), world.work, fail)

    return way


def by_acestep(seconds: float, changes: Mapping[str, str], *refusals: Answer) -> Way:
    def way(world: Site) -> Outcome:
        with AceStep(world.time) as server, urllib3.PoolManager() as http:
            server.changes, server.answers["/release_task"] = dict(changes), list(refusals)
            host = AceStepBackend(server.url, http, lambda url, audio: None, world.time)
            return told(host, world.work, lambda: world.time.pass_by(seconds))

    return way


def by_sagemaker(refusal: Refusal | None, **state: Any) -> Way:
    def way(world: Site) -> Outcome:
        endpoint = Endpoint("gpu")
        with endpoint, closing((host := endpoint.backend(world.time)).client):
            endpoint.refusals = [refusal] if refusal else []
            seen = Seen(json.dumps({"id": world.work.id, **state}).encode(), 0.0)
            return told(replace(host, look=lambda link: seen), world.work)

    return way


ERROR = {"code": "nasty", "detail": NASTY, "transient": False}
ENDED: Mapping[str, Any] = {"status": "finished", "revision": NASTY, "report": {NASTY: NASTY}}
WAYS: Mapping[str, Way] = {
    "container refuses": by_container({"error": ERROR}, 422, later=False),
    "container is busy": by_container({"error": ERROR | {"transient": True}}, 503, later=False),
    "container says": by_container({"id": "job-1-1", "status": "running", "message": NASTY}),
    "container fails": by_container({"id": "job-1-1", "status": "failed", "error": ERROR}),
    "container reports": by_container({"id": "job-1-1", **ENDED}),
    "replicate refuses": by_replicate(None, problem(422, "Input validation failed", NASTY)),
    "replicate fails": by_replicate(NASTY),
    "acestep refuses": by_acestep(0, {}, Answer(400, json.dumps({"detail": NASTY}).encode())),
    "acestep says": by_acestep(5, {"stage": NASTY}),
    "acestep reports": by_acestep(60, dict.fromkeys(("dit_model", "lm_model", "seed_value"), NASTY)),
    "sagemaker refuses": by_sagemaker(model_error(422, json.dumps({"error": ERROR}))),
    "sagemaker says": by_sagemaker(None, status="running", message=NASTY),
    "sagemaker fails": by_sagemaker(None, status="failed", error=ERROR),
    "sagemaker reports": by_sagemaker(None, **ENDED),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_hosts_words_reach_an_owner_as_plain_text_alone(way: Way) -> None:
    words = " ".join(shown(way(Site())))

    assert "alert(1)" in words  # it did come through
    assert not [each for each in words if not each.isprintable() or each in "<>"]
    assert "5ec4e7" not in words.lower()
    assert all(len(each) <= MOST + 40 for each in shown(way(Site())))  # with words of our own
