"""What the service says of itself, held against what it does: OpenAPI, docs page, models, health, site."""

import re
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import OpenAPIV31SpecValidator

from lambdas.settings import VERSION
from local.cloud import LocalCloud
from tests.local.caller import Caller, View, refused

Document = dict[str, Any]

ROUTES = {
    ("/generate", "post"),
    ("/uploads", "post"),
    ("/jobs", "get"),
    ("/jobs/{job_id}", "get"),
    ("/jobs/{job_id}", "patch"),
    ("/jobs/{job_id}", "delete"),
    ("/jobs/{job_id}/cancel", "post"),
    ("/jobs/{job_id}/audio", "get"),
    ("/models", "get"),
    ("/health", "get"),
}


@pytest.fixture(scope="module")
def document(api: Caller) -> Document:
    answer = api.http.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    described: Document = answer.json()
    return described


def check(document: Document, name: str, value: object) -> None:
    """Hold a value to a schema of the document, and to nothing beyond it."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": strict(document["components"])}
    Draft202012Validator(schema).validate(value)


def strict(schema: Any) -> Any:
    """The same schemas, with fields that they do not name forbidden."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: strict(each) for name, each in schema.items()}
    closed = "properties" in schema and "additionalProperties" not in schema
    return {**inner, "additionalProperties": False} if closed else inner


def test_the_openapi_document_is_valid_and_says_where_it_was_read(document: Document, api: Caller) -> None:
    OpenAPIV31SpecValidator(document).validate()

    assert document["openapi"].startswith("3.1")
    names = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert all(re.fullmatch("[a-z]+(_[a-z]+)?", name) for name in names)
    assert len(set(names)) == len(ROUTES)
    assert document["servers"] == [{"url": str(api.http.base_url).rstrip("/")}]
    assert document["info"]["version"] == VERSION


def test_every_route_is_documented_and_every_documented_route_answers(
    document: Document, api: Caller
) -> None:
    documented = {(path, method) for path, item in document["paths"].items() for method in item}

    assert documented == ROUTES
    for path, method in documented:
        answer = api.http.request(method, path.replace("{job_id}", "nobody"))
        assert answer.status_code != 405
        assert "nothing at this address" not in answer.text
        assert str(answer.status_code) in document["paths"][path][method]["responses"]


def test_jobs_at_every_stage_are_what_the_document_says(document: Document, api: Caller, song: View) -> None:
    looks = api.life(api.make("[[slow:1]] rain", bpm=100, key="F# minor", instrumental=True, genre="ambient"))
    failed = api.ended(api.make("[[fail]]"))
    retried = api.ended(api.make("[[fail:1]] rain"))
    waited = api.generate("rain", {"Prefer": "wait=25"}).json()
    canceled = api.http.post(f"/jobs/{api.make('[[slow:30]]')['job_id']}/cancel").json()
    renamed = api.http.patch(f"/jobs/{song['job_id']}", json={"title": "Rain"}).json()

    for job in (*looks, failed, retried, waited, canceled, renamed, song):
        check(document, "JobView", job)
    check(document, "JobList", api.http.get("/jobs").json())


def test_models_and_health_and_problems_are_what_the_document_says(document: Document, api: Caller) -> None:
    body = {"filename": "a.wav", "content_type": "audio/wav", "bytes": 9}
    check(document, "UploadView", api.http.post("/uploads", json=body).json())
    check(document, "ModelList", api.http.get("/models").json())
    check(document, "HealthView", api.http.get("/health").json())
    check(document, "ProblemView", api.http.get("/jobs/nobody").json())
    check(document, "ProblemView", api.http.get("/jobs?limit=0").json())


def test_the_models_are_those_of_the_stage_with_their_licence_and_limits(api: Caller) -> None:
    told = api.http.get("/models").json()

    mock, blend = told["models"]
    assert (told["default"], mock["id"], mock["mock"]) == ("mock", "mock", True)
    assert (mock["licence"], mock["commercial_use"]) == ("CC0-1.0", True)
    assert mock["limits"] == {"min_duration": 1, "max_duration": 300}
    assert mock["backends"] == [{"name": "mock", "healthy": True, "breaker": "closed"}]
    assert (mock["inputs"], blend["inputs"]) == ({}, {"track": {"seconds": 16.0}})
    assert (blend["id"], blend["mock"], blend["limits"]["max_duration"]) == ("cascade", True, 16)


def test_the_service_says_that_it_is_well(api: Caller) -> None:
    answer = api.http.get("/health")

    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["status"] == "ok"
    assert (answer.json()["version"], answer.json()["stage"]) == (VERSION, "local")


def test_the_docs_page_shows_every_route_and_needs_nothing_from_elsewhere(
    api: Caller, document: Document
) -> None:
    answer = api.http.get("/docs")

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == "default-src 'none'; style-src 'unsafe-inline'"
    assert answer.text.startswith("<!doctype html>")
    assert all(path in answer.text for path in document["paths"])
    assert "tracks[].upload_id" in answer.text
    assert not re.search(r"<script|<link|<img|<iframe|@import|url\(|src=", answer.text)


def test_the_studios_page_comes_with_security_headers(cloud: LocalCloud) -> None:
    answer = httpx.get(cloud.site_url, trust_env=False)

    assert answer.headers["content-type"].startswith("text/html")
    assert "Cadenza" in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert answer.headers["strict-transport-security"].startswith("max-age=31536000")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "'unsafe-inline'" not in policy


def test_everything_that_the_studios_page_names_is_served(cloud: LocalCloud) -> None:
    page = httpx.get(cloud.site_url, trust_env=False).text

    named = re.findall(r'(?:src|href)="([^"#]+)"', page)

    assert named
    for name in named:
        assert not urlsplit(name).netloc
        assert httpx.get(f"{cloud.site_url}{name.lstrip('/')}", trust_env=False).status_code == 200, name


def test_the_studios_own_addresses_are_its_page_and_missing_files_are_not(cloud: LocalCloud) -> None:
    page = httpx.get(cloud.site_url, trust_env=False)

    assert httpx.get(f"{cloud.site_url}jobs/some-song", trust_env=False).content == page.content
    assert httpx.get(f"{cloud.site_url}missing.js", trust_env=False).status_code in (403, 404)


def test_an_unknown_address_under_the_api_is_the_apis_own_answer(cloud: LocalCloud, api: Caller) -> None:
    refused(api.http.get("/no/such/thing"), 404, "not_found")
