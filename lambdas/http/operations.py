"""Each route in words: what it does, what it answers, what may go wrong. One function per route."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lambdas.http.problems import CONTENT_TYPE, PROBLEMS
from lambdas.http.schemas import HealthView, JobList, JobView, ModelList, ProblemView, UploadView

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler.openapi.types import OpenAPIResponse
    from pydantic import BaseModel

Responses = dict[int, "OpenAPIResponse"]
Operation = dict[str, Any]
"""What a route's decorator is told."""

GENERATE = """Queues a job and answers at once with 202. Follow it at its `urls.self`.

`Prefer: wait=n` (n up to 25 seconds) holds the answer until the music is ready, then 201.
`Idempotency-Key` (kept 24 hours) makes a repeated request safe: the same key and body get the same answer.
A request with a `seed` that was made before is answered with the audio made then,
unless `Cache-Control: no-cache` is sent.

`tracks` and `audio` name recordings: uploads of yours (`POST /uploads`), or your finished jobs."""

UPLOAD = """Gives a form for one file: WAV, MP3, M4A, FLAC or OGG, up to 50 MB and 20 minutes.

Send `fields` and then the file, as the field `file`, to `url` as `multipart/form-data` before `expires_at`.
The store takes a file of the type and at most the size that were announced; its answer is 204.
What the file is, its content decides once a job uses it. It is deleted after a day."""


EVERYWHERE = (429, 500, 502, 503, 504)
GATEWAY = {
    429: "Too many requests",
    502: "The service gave no usable answer",
    504: "No answer came in time",
}
"""Answers that API Gateway gives by itself."""


def generate() -> Operation:
    ready = {"Location": "The job's address.", "Preference-Applied": "The wait that was granted."}
    queued = {
        **ready,
        "Retry-After": "Seconds.",
        "Idempotent-Replayed": "`true` when the Idempotency-Key was known.",
    }
    made: Responses = {202: _good("Queued", JobView, queued), 201: _good("Ready", JobView, ready)}
    answers = _answers(made, 400, 409, 413, 415, 422)
    return _operation("generate", "Music", "Make music", answers, GENERATE)


def create_upload() -> Operation:
    answers = _answers({201: _good("A form, and where to send it", UploadView)}, 400, 413, 415, 422)
    return _operation("create_upload", "Music", "Upload a recording", answers, UPLOAD)


def list_jobs() -> Operation:
    answers = _answers({200: _good("A page of jobs", JobList)}, 400, 422)
    return _operation("list_jobs", "Jobs", "Your jobs, newest first", answers)


def get_job() -> Operation:
    validator = {"ETag": "Give it back as If-None-Match.", "Cache-Control": "Ask again before each use."}
    headers = {**validator, "Retry-After": "Seconds; while the job is pending."}
    unchanged = _good("Not changed since the ETag given", headers=headers)
    answers = _answers({200: _good("The job", JobView, headers), 304: unchanged}, 404, 422)
    return _operation("get_job", "Jobs", "A job", answers)


def patch_job() -> Operation:
    answers = _answers({200: _good("The job", JobView)}, 400, 404, 413, 415, 422)
    return _operation("patch_job", "Jobs", "Rename or mark a job", answers)


def cancel_job() -> Operation:
    return _operation(
        "cancel_job", "Jobs", "Cancel a job", _answers({202: _good("Canceled", JobView)}, 404, 409)
    )


def delete_job() -> Operation:
    return _operation("delete_job", "Jobs", "Delete a job", _answers({204: _good("Deleted")}, 404))


def get_audio() -> Operation:
    link = {"Location": "Good for an hour at most."}
    found = _good("The audio, at a presigned address", headers=link)
    return _operation("get_audio", "Jobs", "A job's audio", _answers({302: found}, 404, 409, 410, 422))


def list_models() -> Operation:
    answers = _answers({200: _good("The models", ModelList)})
    return _operation("list_models", "Service", "What this deployment can play", answers)


def health() -> Operation:
    answers = _answers({200: _good("How the service is", HealthView)})
    return _operation("health", "Service", "Is the service well?", answers)


def _operation(id: str, tag: str, summary: str, answers: Responses, description: str = "") -> Operation:
    told: Operation = {"operation_id": id, "tags": [tag], "summary": summary, "responses": answers}
    return told | {"description": description} if description else told


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
