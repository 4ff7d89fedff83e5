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


def _answers(status: int, description: str, model: "type[BaseModel] | None", *faults: int) -> Responses:
    content: Any = {"application/json": {"model": model}} if model else {}
    good: dict[int, Any] = {status: {"description": description, "content": content}}
    return good | {fault: _fault(fault) for fault in (*faults, 500, 503)}


def _fault(status: int) -> Any:
    titles = " or: ".join(title for code, title in PROBLEMS.values() if code == status)
    return {"description": titles, "content": {CONTENT_TYPE: {"model": ProblemView}}}


def made() -> Responses:
    ready: Any = {"description": "Ready", "content": {"application/json": {"model": JobView}}}
    return _answers(202, "Queued", JobView, 400, 409, 413, 415, 422) | {201: ready}


def listed() -> Responses:
    return _answers(200, "A page of jobs", JobList, 400, 422)


def shown() -> Responses:
    unchanged: Any = {"description": "Not changed since the ETag given"}
    return _answers(200, "The job", JobView, 400, 404, 413, 415, 422) | {304: unchanged}


def canceled() -> Responses:
    return _answers(202, "Canceled", JobView, 404, 409, 422)


def deleted() -> Responses:
    return _answers(204, "Deleted", None, 404, 422)


def redirected() -> Responses:
    return _answers(302, "The audio, at a presigned address", None, 404, 409, 410, 422)


def modelled() -> Responses:
    return _answers(200, "The models", ModelList)


def healthy() -> Responses:
    return _answers(200, "How the service is", HealthView)


@cache
def _document(app: "APIGatewayRestResolver") -> dict[str, Any]:
    schema = app.get_openapi_schema(
        title="Cadenza",
        version=VERSION,
        openapi_version="3.1.0",
        summary="Music from a prompt",
        description="Your own music-generation service. Errors are RFC 9457 problem details.",
    )
    return schema.model_dump(by_alias=True, exclude_none=True, mode="json")


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
