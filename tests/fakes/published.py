"""Replicate's published interface: whether what is asked and what is answered follows it.

replicate_openapi.json and replicate_musicgen.json say where they are from. Words stand here that the first
has in descriptions only: https webhooks, durations of at least five seconds, and what `metrics` hold.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

HERE = Path(__file__).parent
DOCUMENT: Mapping[str, Any] = json.loads((HERE / "replicate_openapi.json").read_text())
INPUTS: Mapping[str, Any] = json.loads((HERE / "replicate_musicgen.json").read_text())
METRICS = {"predict_time", "total_time"}
DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")
SHORTEST = 5  # seconds until a prediction may be ended


def operation(method: str, path: str) -> str | None:
    """The id of what is asked; None where nothing is documented."""
    for template, methods in DOCUMENT["paths"].items():
        pattern = DOCUMENT["servers"][0]["url"].removeprefix("https://api.replicate.com") + template
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path) and method.lower() in methods:
            found: str = methods[method.lower()]["operationId"]
            return found
    return None


def wrong(asked: Any, headers: Mapping[str, str]) -> str | None:
    """What of a request for a prediction is not as published, a line for each fault."""
    faults = [*_faults(REQUEST, asked, "body")]
    if not faults:
        faults = [*_faults(MODEL, asked["input"], "input")]
    if not str(asked.get("webhook", "https://")).startswith("https://"):
        faults.append("webhook: must be an HTTPS URL")
    if not seconds(headers.get("cancel-after", f"{SHORTEST}s")) >= SHORTEST:
        faults.append("Cancel-After: must be a duration of five seconds or more")
    return "\n".join(f"- {fault}" for fault in faults) or None


def seconds(duration: str) -> int:
    """Of `30`, `90s`, `5m`, `1h30m45s`; -1 for what is no duration."""
    found = DURATION.fullmatch(duration)
    if found is None or not duration:
        return -1
    hours, minutes, rest = (int(part or 0) for part in found.groups())
    return 3600 * hours + 60 * minutes + rest


def true(prediction: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same prediction, which says all that must be said of one and nothing that is not published."""
    faults = [*_faults(PREDICTION, prediction, "prediction")]
    faults += [f"{name} is not published" for name in set(prediction) - set(FIELDS)]
    faults += [f"metrics.{name} is not published" for name in set(prediction.get("metrics", ())) - METRICS]
    assert not faults, faults
    return prediction


def _faults(schema: Any, value: Any, name: str) -> Iterator[str]:
    for error in schema.iter_errors(value):
        yield f"{error.json_path.replace('$', name, 1)}: {error.message}"


def _schema(name: str) -> Any:
    whole = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    return Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)


REQUEST = _schema("schemas_version_prediction_request")
PREDICTION = _schema("schemas_prediction_response")
MODEL = Draft202012Validator(INPUTS, format_checker=Draft202012Validator.FORMAT_CHECKER)
FIELDS = DOCUMENT["components"]["schemas"]["schemas_prediction_response"]["properties"]
