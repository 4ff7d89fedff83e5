"""What the API says of itself: the OpenAPI document and the catalogue."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from lambdas.core.breaking import Breaker
from lambdas.core.models import Model, Span
from lambdas.http.problems import CONTENT_TYPE
from lambdas.settings import VERSION

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import APIGatewayRestResolver


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


def catalogue(
    models: Mapping[str, Model], chains: Mapping[str, Sequence[str]], states: Mapping[str, Breaker]
) -> dict[str, Any]:
    return {
        "default": next(iter(models)),
        "models": [
            _model(model, {host: states[host] for host in chains[model.id]}) for model in models.values()
        ],
    }


def condition(stage: str, models: Mapping[str, Model], states: Mapping[str, Breaker]) -> dict[str, Any]:
    return {
        "status": "ok" if set(states.values()) <= {Breaker.CLOSED} else "degraded",
        "version": VERSION,
        "stage": stage,
        "models": list(models),
        "backends": states,
    }


def _model(model: Model, chain: Mapping[str, Breaker]) -> dict[str, Any]:
    return {
        "id": model.id,
        "title": model.title,
        "revision": model.revision,
        "tasks": list(model.tasks),
        "limits": {"min_duration": model.duration.low, "max_duration": model.duration.high},
        "options": {name: _span(span) for name, span in model.options.items()},
        "inputs": {role: {"seconds": intake.longest} for role, intake in model.inputs.items()},
        "sample_rate": model.sample_rate,
        "channels": model.channels,
        "licence": model.licence,
        "commercial_use": model.commercial_use,
        "mock": model.mock,
        "backends": [
            {"name": name, "healthy": state is Breaker.CLOSED, "breaker": state.value}
            for name, state in chain.items()
        ],
        "usd_per_second": model.usd_per_second,
    }


def _span(span: Span | None) -> list[float] | None:
    return None if span is None else [span.low, span.high]
