"""Whatever is sent, the answer is a clear problem with its place, never a 5xx."""

import base64
import gzip
import json
import math
from typing import Any

import pytest
from httpx import Response

from tests.local.caller import Caller, View, refused

JSON = {"Content-Type": "application/json"}
TOO_DEEP = "[" * 20_000 + "]" * 20_000


def post(api: Caller, body: str | bytes, **headers: str) -> Response:
    return api.http.post("/generate", content=body, headers={**JSON, **headers})


def with_field(name: str, value: Any) -> str:
    return json.dumps({"prompt": "rain", "duration": 1, name: value})


VALUES: dict[str, list[Any]] = {
    "prompt": [1, 1.5, True, [], {}, ["rain"], "", "  \t\n", "\x00\x07\u200b", "a" * 501],
    "duration": [0, -1, 0.99, 300.01, 1e9, math.nan, math.inf, -math.inf, "30", True, [], {}, None],
    "model": [1, True, [], "", "nobody", "a" * 65, "\ud800"],
    "genre": [1, False, [], "", " ", "a" * 51],
    "format": [1, None, "", "WAV", "aiff", []],
    "seed": [-1, 2**32, 1.5, "1", True, [], 1e30],
    "variations": [0, 5, -1, 1.5, "2", True, None],
    "bpm": [0, 39, 241, 1e9, "120", True, math.nan],
    "key": [1, "", "H", "c", "C  minor", "C minor\n", "C#b", []],
    "instrumental": [0, 1, "true", "yes", []],
    "temperature": [-1, 11, "1", True, 1.0],
    "top_k": [-1, 1.5, "1", True, 50],
    "top_p": [-0.1, 1.1, "1", True, 0.9],
    "guidance": [-1, 31, "1", True, 3.0],
    "lyrics": [1, [], "a" * 5001, "la la la"],
    "negative_prompt": [1, "", " ", "a" * 501, "drums"],
    "surprise": [1, None, "", {}],
}
WRONG = [(name, value) for name, values in VALUES.items() for value in values]

HOOKS = [
    "", "hook", "http://example.com/", "ftp://example.com/", "https://", "https:///hook", "//example.com",
    "https://user:secret@example.com/", "https://example.com:8443/", "https://example.com:99999/",
    "https://127.0.0.1/", "https://[::1]/", "https://[::1", "https://169.254.169.254/", "https://10.1.2.3/",
    "https://localhost/", "https://api.localhost/", "https://2130706433/", "https://0x7f.1/", "https://nas/",
    "https://metadata.google.internal/", f"https://example.com/{'a' * 2000}", "javascript:alert(1)",
    1, [], {},
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), WRONG, ids=lambda value: repr(value)[:30])
def test_a_wrong_value_is_refused_at_its_place(api: Caller, name: str, value: object) -> None:
    refused(post(api, with_field(name, value)), 422, "invalid_request", f"/{name}")


@pytest.mark.parametrize("url", HOOKS, ids=lambda value: repr(value)[:40])
def test_a_webhook_that_must_not_be_called_is_refused_at_once(api: Caller, url: object) -> None:
    refused(post(api, with_field("webhook_url", url)), 422, "invalid_request", "/webhook_url")


def test_a_missing_prompt_is_asked_for(api: Caller) -> None:
    for body in ("{}", '{"duration": 1}', '{"prompt": null}'):
        refused(post(api, body), 422, "invalid_request", "/prompt")


def test_every_fault_of_a_body_is_told_at_once(api: Caller) -> None:
    problem = refused(post(api, '{"prompt": 1, "duration": "x", "a/b~c": 1}'), 422, "invalid_request")

    assert {fault["pointer"] for fault in problem["errors"]} == {"/prompt", "/duration", "/a~1b~0c"}


def test_an_option_of_other_models_is_refused_by_naming_who_takes_it(api: Caller) -> None:
    problem = refused(api.generate(temperature=1.0), 422, "invalid_request", "/temperature")

    assert problem["detail"] == "mock does not take temperature; no model of this deployment does."


@pytest.mark.parametrize(
    "prompt", ["موسيقى هادئة", "שיר שקט", "🎹🎷 jazz 👩‍🎤", "日本の雨", "a" * 500],
)  # fmt: skip
def test_a_prompt_in_any_script_is_kept(api: Caller, prompt: str) -> None:
    assert api.make(prompt)["prompt"] == prompt


def test_control_characters_and_white_space_are_taken_out_of_a_prompt(api: Caller) -> None:
    answer = post(api, with_field("prompt", " \u202erain\x00 on\r\n\ta  tin\x07 roof\u200b \ud800 "))

    assert answer.json()["prompt"] == "rain on a tin roof"


@pytest.mark.parametrize(
    "body",
    ["{", "prompt=rain", "{'prompt': 'rain'}", '{"prompt": "rain",}', '{"prompt": "rain"} x', "\x00",
     TOO_DEEP, gzip.compress(b'{"prompt": "rain"}', mtime=0), b'{"prompt": "\xff\xfe"}', '"' + "\\ud800" * 9],
    ids=lambda body: repr(body)[:20],
)  # fmt: skip
def test_what_cannot_be_read_as_json_is_malformed(api: Caller, body: str | bytes) -> None:
    refused(post(api, body), 400, "malformed_json")


@pytest.mark.parametrize("body", ["", "[]", "null", "1", '"rain"', "true", '[{"prompt": "rain"}]'])
def test_a_body_must_be_an_object(api: Caller, body: str) -> None:
    refused(post(api, body), 422, "invalid_request", "")


@pytest.mark.parametrize("size", [65 * 1024, 1024**2, 11 * 1024**2])
def test_a_huge_body_is_too_large(api: Caller, size: int) -> None:
    refused(post(api, with_field("prompt", "a" * size)), 413, "body_too_large")


@pytest.mark.parametrize("type", ["text/plain", "text/xml", "multipart/form-data; boundary=x", "a" * 500])
def test_another_content_type_is_not_supported(api: Caller, type: str) -> None:
    problem = refused(
        post(api, '{"prompt": "rain"}', **{"Content-Type": type}), 415, "unsupported_media_type"
    )

    assert len(problem["detail"]) < 200


@pytest.mark.parametrize(
    "job_id",
    ["x", "a" * 3000, "%00", "%ff%fe", "%F0%9F%8E%B9", "..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "a%2Fb",
     "a%20b", "'%20OR%201=1", "%3Cscript%3E", "{id}", "null", "%zz", "%", "*",
     "f60bcf4a-03d0-4f5f-a52b-f24a646ab47b"],
    ids=lambda text: text[:12],
)  # fmt: skip
@pytest.mark.parametrize(
    ("method", "rest"), [("GET", ""), ("DELETE", ""), ("GET", "/audio"), ("POST", "/cancel")]
)
def test_an_unknown_id_is_not_found(api: Caller, job_id: str, method: str, rest: str) -> None:
    answer = raw(api, method, f"/jobs/{job_id}{rest}")

    refused(answer, 404, "not_found")


def raw(api: Caller, method: str, path: str) -> Response:
    """Without the client's tidying of dots and escapes."""
    request = api.http.build_request(method, "/jobs")
    request.url = request.url.copy_with(raw_path=f"/v1{path}".encode())
    return api.http.send(request)


def sealed(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


STRANGERS = [
    "x", "%00", "%F0%9F%98%80", "====", "bnVsbA", "e30", "W10", "a" * 1000, sealed("somebody", "2030", "x"),
    sealed("anonymous", "", ""), sealed("anonymous", 1, 2), sealed("anonymous", "2030"), sealed([[[[]]]]),
    sealed("anonymous", "\ud800", "x"), sealed("anonymous", "2030", "x", "y"),
]  # fmt: skip


@pytest.mark.parametrize("cursor", STRANGERS, ids=lambda cursor: cursor[:20])
def test_a_cursor_of_somebody_else_or_of_nobody_is_refused(api: Caller, cursor: str) -> None:
    refused(api.http.get(f"/jobs?cursor={cursor}"), 400, "invalid_cursor", "cursor")


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=-1", "limit=x", "limit=1.5", "limit=", "limit=1&limit=2",
     "limit=" + "9" * 20, "status=done", "status=", "favourite=maybe", f"cursor={'a' * 1001}"],
    ids=lambda query: query[:20],
)  # fmt: skip
def test_a_wrong_query_is_refused_at_its_parameter(api: Caller, query: str) -> None:
    refused(api.http.get(f"/jobs?{query}"), 422, "invalid_request", query.partition("=")[0])


def test_a_format_that_is_none_is_refused(api: Caller, song: View) -> None:
    refused(api.http.get(f"/jobs/{song['job_id']}/audio?format=aiff"), 422, "invalid_request", "format")


@pytest.mark.parametrize(
    "body",
    ['{"title": ""}', '{"title": 1}', '{"favourite": null}', '{"favourite": 1}', '{"status": "x"}', "[]"],
)
def test_a_wrong_change_is_refused(api: Caller, song: View, body: str) -> None:
    answer = api.http.patch(f"/jobs/{song['job_id']}", content=body, headers=JSON)

    refused(answer, 422, "invalid_request")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [("PUT", "/generate", "POST"), ("GET", "/generate", "POST"), ("GET", "/uploads", "POST"),
     ("POST", "/jobs", "GET"),
     ("DELETE", "/jobs", "GET"), ("OPTIONS", "/jobs", "GET"), ("PUT", "/jobs/x", "GET, PATCH, DELETE"),
     ("GET", "/jobs/x/cancel", "POST"), ("POST", "/jobs/x/audio", "GET"), ("DELETE", "/models", "GET"),
     ("PATCH", "/health", "GET"), ("POST", "/docs", "GET")],
)  # fmt: skip
def test_a_wrong_method_is_told_the_right_ones(api: Caller, method: str, path: str, allow: str) -> None:
    answer = api.http.request(method, path)

    refused(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == allow


@pytest.mark.parametrize(
    "path", ["/nothing", "/generate/x", "/jobs/x/y", "/jobs/x/audio/y", "/api/generate", "/.env"]
)
def test_an_unknown_path_is_not_found(api: Caller, path: str) -> None:
    refused(api.http.get(path), 404, "not_found")


@pytest.mark.parametrize("key", ["", "a" * 256])
def test_a_wrong_idempotency_key_is_refused(api: Caller, key: str) -> None:
    refused(api.generate(headers={"Idempotency-Key": key}), 422, "invalid_request", "idempotency-key")


def test_odd_headers_do_no_harm(api: Caller) -> None:
    odd: dict[str, str] = {"Idempotency-Key": "schlüssel-ÿ", "X-Huge": "a" * 16_000, "Accept": "nothing/*"}

    answer = api.http.post(
        "/generate",
        json={"prompt": "rain", "duration": 1},
        headers={name: value.encode("latin-1") for name, value in odd.items()},  # type: ignore[arg-type]
    )

    assert answer.status_code == 202


@pytest.mark.parametrize("name", ["Prefer", "Cache-Control", "If-None-Match"])
def test_a_header_of_absurd_length_is_refused_where_it_is_read(api: Caller, song: View, name: str) -> None:
    headers = {name: "a" * 1001}
    read = api.http.get(f"/jobs/{song['job_id']}", headers=headers) if name == "If-None-Match" else None

    refused(read or api.generate(headers=headers), 422, "invalid_request", name.lower())
