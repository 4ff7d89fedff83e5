"""The ACE-Step server that tests run against, held against the words of the true one.

The answers in tests/fakes/acestep_answers.json were taken over HTTP from acestep/api_server.py of
ace-step/ACE-Step-1.5 at f30aee4 (8 February 2026), whose models had been replaced by stubs.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.fakes import acestep
from tests.fakes.acestep import FOLDER, AceStep
from tests.fakes.stores import Time
from tests.unit.acestep_site import TASK

TRUE: dict[str, Any] = json.loads(Path(acestep.__file__).with_name("acestep_answers.json").read_text())
ASKED = {"task_id_list": [TASK]}
UNKNOWN = {"task_id_list": [TRUE["unknown"]["body"]["data"][0]["task_id"]]}
SONG = {"prompt": "rain", "lyrics": "la", "audio_duration": 10, "seed": 42, "task_type": "text2music"}
SINCE = {"error"}  # what v0.1.8 says beyond it


def shape(said: Any) -> Any:
    """Names and kinds of what is said, whole numbers and others alike."""
    if isinstance(said, dict):
        return {name: shape(value) for name, value in said.items() if name not in SINCE}
    if isinstance(said, list):
        return [shape(value) for value in said]
    return "number" if isinstance(said, int | float) else type(said).__name__


def opened(answer: dict[str, Any]) -> tuple[int, Any, list[Any]]:
    """Status, the shape of the body, and of what lies encoded in it."""
    body = answer["body"]
    entries = body.get("data") or []
    results = [json.loads(entry["result"]) for entry in entries] if isinstance(entries, list) else []
    for songs in results:
        for song in songs:
            song["metas"] = "any"  # of a plan that only a model makes
    return answer["status"], shape(body), shape(results)


class Caller:
    def __init__(self) -> None:
        self.time = Time()
        self.server = AceStep(self.time, "sk-secret")
        self.http = urllib3.PoolManager()

    def ask(self, method: str, path: str, body: object = None, key: str = "sk-secret") -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {key}"}
        answer = self.http.request(method, self.server.url + path, json=body, headers=headers)
        return {"status": answer.status, "body": answer.json()}


def test_a_song_is_told_of_as_the_true_server_tells() -> None:
    caller, told = Caller(), {}
    with caller.server:
        told["health"] = caller.ask("GET", "/health")
        told["released"] = caller.ask("POST", "/release_task", SONG)
        for stage, seconds in {"queued": 0, "running": 5, "succeeded": 60}.items():
            caller.time.pass_by(seconds)
            told[stage] = caller.ask("POST", "/query_result", ASKED)
        caller.server.tasks[TASK].error = "Traceback"
        told["failed"] = caller.ask("POST", "/query_result", ASKED)
    caller.http.clear()

    for name, answer in told.items():
        assert opened(answer) == opened(TRUE[name]), name


@pytest.mark.parametrize(
    ("name", "method", "path", "body", "key"),
    [
        ("unknown", "POST", "/query_result", UNKNOWN, "sk-secret"),
        ("wrong key", "POST", "/release_task", SONG, "x"),
        ("audio elsewhere", "GET", "/v1/audio?path=%2Fetc%2Fpasswd", None, "sk-secret"),
        ("audio gone", "GET", f"/v1/audio?path={FOLDER}/x.wav", None, "sk-secret"),
        ("no such path", "GET", "/nothing", None, "sk-secret"),
    ],
)
def test_a_refusal_is_the_true_servers_own(name: str, method: str, path: str, body: object, key: str) -> None:
    caller = Caller()

    with caller.server:
        answer = caller.ask(method, path, body, key)
    caller.http.clear()

    assert answer["status"] == TRUE[name]["status"]
    assert untimed(answer["body"]) == untimed(TRUE[name]["body"])


def untimed(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "timestamp"}
