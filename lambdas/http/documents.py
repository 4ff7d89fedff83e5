"""What the API says of itself: the OpenAPI document and the catalogue."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from lambdas.core.models import Model, Span
from lambdas.http.problems import CONTENT_TYPE, PROBLEMS
from lambdas.http.schemas import HealthView, JobList, JobView, ModelList, ProblemView
from lambdas.settings import VERSION

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import APIGatewayRestResolver
    from aws_lambda_powertools.event_handler.openapi.types import OpenAPIResponse
    from pydantic import BaseModel

Responses = dict[int, "OpenAPIResponse"]

GENERATE = """Queues a job and answers at once with 202. Follow it at its `urls.self`.

`Prefer: wait=n` (n up to 25 seconds) holds the answer until the music is ready, then 201.
`Idempotency-Key` (kept 24 hours) makes a repeated request safe: the same key and body get the same answer.
A request with a `seed` that was made before is answered with the audio made then,
unless `Cache-Control: no-cache` is sent."""


EVERYWHERE = (429, 500, 502, 503, 504)
GATEWAY = {
    429: "Too many requests",
    502: "The service gave no usable answer",
    504: "No answer came in time",
}
"""Answers that API Gateway gives by itself."""


def _answers(good: Responses, *faults: int) -> Responses:
    return good | {fault: _fault(fault) for fault in (*faults, *EVERYWHERE)}


def _good(
    description: str, model: "type[BaseModel] | None" = None, headers: Mapping[str, str] | None = None
) -> Any:
    """An answer that is no error; each header with what it says."""
    return {
        "description": description,
        "content": {"application/json": {"model": model}} if model else {},
        "headers": {
            name: {"description": text, "schema": {"type": "string"}}
            for name, text in (headers or {}).items()
        },
    }


def _fault(status: int) -> Any:
    titles = GATEWAY.get(status) or " or: ".join(title for code, title in PROBLEMS.values() if code == status)
    return {"description": titles, "content": {CONTENT_TYPE: {"model": ProblemView}}}


def made() -> Responses:
    ready = {"Location": "The job's address.", "Preference-Applied": "The wait that was granted."}
    queued = {
        **ready,
        "Retry-After": "Seconds.",
        "Idempotent-Replayed": "`true` when the Idempotency-Key was known.",
    }
    made: Responses = {202: _good("Queued", JobView, queued), 201: _good("Ready", JobView, ready)}
    return _answers(made, 400, 409, 413, 415, 422)


def listed() -> Responses:
    return _answers({200: _good("A page of jobs", JobList)}, 400, 422)


def shown() -> Responses:
    validator = {"ETag": "Give it back as If-None-Match.", "Cache-Control": "Ask again before each use."}
    headers = {**validator, "Retry-After": "Seconds; while the job is pending."}
    unchanged = _good("Not changed since the ETag given", headers=headers)
    return _answers({200: _good("The job", JobView, headers), 304: unchanged}, 404, 422)


def changed() -> Responses:
    return _answers({200: _good("The job", JobView)}, 400, 404, 413, 415, 422)


def canceled() -> Responses:
    return _answers({202: _good("Canceled", JobView)}, 404, 409)


def deleted() -> Responses:
    return _answers({204: _good("Deleted")}, 404)


def redirected() -> Responses:
    link = {"Location": "Good for an hour at most."}
    found = _good("The audio, at a presigned address", headers=link)
    return _answers({302: found}, 404, 409, 410, 422)


def modelled() -> Responses:
    return _answers({200: _good("The models", ModelList)})


def healthy() -> Responses:
    return _answers({200: _good("How the service is", HealthView)})


@cache
def _document(app: "APIGatewayRestResolver") -> dict[str, Any]:
    schema = app.get_openapi_schema(
        title="Cadenza",
        version=VERSION,
        openapi_version="3.1.0",
        summary="Music from a prompt",
        description="Your own music-generation service. Errors are RFC 9457 problem details.",
    )
    return _as_served(schema.model_dump(by_alias=True, exclude_none=True, mode="json"))


def _as_served(document: dict[str, Any]) -> dict[str, Any]:
    """Without what the framework adds and this API does not do: its own 422, parameters that are null."""
    for operation in (operation for item in document["paths"].values() for operation in item.values()):
        answers = operation["responses"]
        if CONTENT_TYPE not in answers.get("422", {}).get("content", {}):
            answers.pop("422", None)
        for parameter in operation.get("parameters", []):
            parameter["schema"] = _not_null(parameter["schema"])
    for name in ("HTTPValidationError", "ResponseValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    return document


def _not_null(schema: dict[str, Any]) -> dict[str, Any]:
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    others = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**others, **kinds[0]} if len(kinds) == 1 else schema


def openapi(app: "APIGatewayRestResolver", origin: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document, with the address it was asked at as its server."""
    return {**_document(app), "servers": [{"url": origin}]}


def catalogue(models: Mapping[str, Model], chains: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    return {
        "default": next(iter(models)),
        "models": [_model(model, chains[model.id]) for model in models.values()],
    }


def _model(model: Model, chain: Sequence[str]) -> dict[str, Any]:
    return {
        "id": model.id,
        "title": model.title,
        "revision": model.revision,
        "tasks": list(model.tasks),
        "limits": {"min_duration": model.duration.low, "max_duration": model.duration.high},
        "options": {name: _span(span) for name, span in model.options.items()},
        "sample_rate": model.sample_rate,
        "channels": model.channels,
        "licence": model.licence,
        "commercial_use": model.commercial_use,
        "mock": model.mock,
        "backends": [{"name": name, "healthy": True} for name in chain],
        "usd_per_second": model.usd_per_second,
    }


def _span(span: Span | None) -> list[float] | None:
    return None if span is None else [span.low, span.high]
