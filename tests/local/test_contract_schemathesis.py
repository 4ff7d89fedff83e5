"""The published OpenAPI document against the running service: requests made up from it, valid and not.

Schemathesis derives the requests from the document: one that says too much or too little fails.
"""

from typing import Any
from uuid import uuid4

import schemathesis
from schemathesis import Case, GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    negative_data_rejection,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from schemathesis.config import SchemathesisConfig

from lambdas.api import app
from lambdas.http.documents import openapi
from local.cloud import LocalCloud
from tests.local.caller import Caller, View

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    negative_data_rejection,
    unsupported_method,
]
CHEAP = "[[fail]]"  # nobody needs five minutes of music from a test
NOT_OF_THE_MOCK = (
    "model", "webhook_url", "lyrics", "negative_prompt", "temperature", "top_k", "top_p", "guidance", "bpm",
    "tracks", "audio",
)  # fmt: skip

CONFIG = {
    "generation": {"max-examples": 15, "deterministic": True, "database": "none", "no-shrink": True},
}


DESCRIBED = schemathesis.openapi.from_dict(
    openapi(app, "http://localhost/v1"), config=SchemathesisConfig.from_dict(CONFIG)
)


def test_the_document_that_is_published_is_the_one_tested_here(api: Caller) -> None:
    published = api.http.get("/openapi.json").json()

    assert published | {"servers": []} == DESCRIBED.raw_schema | {"servers": []}


@DESCRIBED.parametrize()
def test_the_service_does_what_its_document_says(case: Case[Any], cloud: LocalCloud, song: View) -> None:
    if case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE:
        aim(case, song)

    case.call_and_validate(base_url=cloud.api_url, checks=CHECKS)


def aim(case: Case[Any], song: View) -> None:
    """Let a valid request reach something: a job that is there, or a model that takes what it is told."""
    if case.method != "DELETE" and "job_id" in case.path_parameters:
        case.path_parameters["job_id"] = song["job_id"]
    if case.operation.label == "POST /generate" and isinstance(case.body, dict):
        for name in NOT_OF_THE_MOCK:
            case.body.pop(name, None)
        prompt = str(case.body.get("prompt") or "")
        case.body["prompt"] = f"{CHEAP} {prompt}" if len(prompt) < 400 else prompt
    if "idempotency-key" in case.headers:
        case.headers["idempotency-key"] = str(uuid4())
