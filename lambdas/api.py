"""The HTTP entry point: parse, call one use case, translate."""

import json
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.openapi.params import Header, Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas import wiring
from lambdas.core.breaking import Breaker
from lambdas.core.errors import RequestError, TransientError
from lambdas.core.jobs import Filter, Job
from lambdas.core.principals import Principal, anonymous
from lambdas.core.recordings import Format
from lambdas.core.requests import GenerateRequest, PatchRequest, UploadRequest
from lambdas.core.submitting import Submission
from lambdas.core.views import Standing, etag, upload_view
from lambdas.http import documents, operations, refusals
from lambdas.http.admission import Event, admit
from lambdas.http.callbacks import hear
from lambdas.http.preferences import Preference, preference
from lambdas.telemetry import Telemetry

app = APIGatewayRestResolver(enable_validation=True)
telemetry = Telemetry("api")
log = telemetry.log

JSON = "application/json"
POLL_SECONDS = 0.4
MARGIN_SECONDS = 2.0  # kept for answering when a wait meets the function's own end
PASSING = (TransientError, *wiring.AWS_ERRORS)

Headers = dict[str, str | list[str]]
Answer = Response[Any]


def handler(event: Event, context: LambdaContext) -> dict[str, Any]:
    request_id = (event.get("requestContext") or {}).get("requestId") or context.aws_request_id
    log.append_keys(request_id=request_id)
    try:
        answer = app.resolve(admit(event), context)
    except RequestError as error:
        answer = refusals.refusal(event["path"], request_id, error)
    told = {"method": event["httpMethod"], "path": event["path"], "status": answer["statusCode"]}
    log.info("request", extra=told)
    telemetry.publish()
    return answer


@app.post("/generate", **operations.generate())
def generate(
    body: GenerateRequest,
    idempotency_key: Annotated[
        str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255)
    ] = None,
    prefer: Annotated[str | None, Header(alias="Prefer", max_length=1000)] = None,
    cache_control: Annotated[str | None, Header(alias="Cache-Control", max_length=1000)] = None,
) -> Answer:
    parts, origin = wiring.api(), _origin()
    submission = parts.submitter.submit(
        body,
        _principal(),
        origin,
        idempotency_key,
        use_cache="no-cache" not in (cache_control or "").lower(),
        render=lambda jobs: json.dumps(
            parts.reader.render(jobs[0], origin, wiring.now(), _standing(jobs[0]))
        ),
    )
    telemetry.count("JobsSubmitted", 0 if submission.replayed else len(submission.jobs))
    return _made(submission, preference(prefer))


@app.post("/uploads", **operations.create_upload())
def create_upload(body: UploadRequest) -> Answer:
    offer = wiring.api().uploads.offer(body, _principal())
    return _json(201, upload_view(offer), {"Cache-Control": "no-store"})


@app.get("/jobs", **operations.list_jobs())
def list_jobs(
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
    status: Annotated[Filter | None, Query()] = None,
    favourite: Annotated[bool | None, Query()] = None,
) -> Answer:
    parts, origin, now = wiring.api(), _origin(), wiring.now()
    page, following = parts.collection.page(_principal(), limit, cursor, status, favourite)
    jobs = [parts.reader.render(job, origin, now) for job in page.jobs]
    return _json(200, {"jobs": jobs, "next_cursor": following})


@app.get("/jobs/<job_id>", **operations.get_job())
def get_job(
    job_id: str, if_none_match: Annotated[str | None, Header(alias="If-None-Match", max_length=1000)] = None
) -> Answer:
    parts = wiring.api()
    job = parts.collection.find(job_id, _principal())
    standing = parts.collection.standing(job)
    view = parts.reader.render(job, _origin(), wiring.now(), standing)
    tag = etag(view)
    headers: Headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if not job.status.terminal:
        headers["Retry-After"] = str(standing.retry_after)
    if if_none_match is not None and (if_none_match.strip() == "*" or tag in if_none_match):
        return Response(304, None, "", headers)
    return _json(200, view, headers)


@app.patch("/jobs/<job_id>", **operations.patch_job())
def patch_job(job_id: str, body: PatchRequest) -> Answer:
    parts = wiring.api()
    changes = {name: getattr(body, name) for name in body.model_fields_set}
    job = parts.collection.amend(job_id, _principal(), lambda job: job.but(**changes))
    return _json(200, parts.reader.render(job, _origin(), wiring.now()))


@app.post("/jobs/<job_id>/cancel", **operations.cancel_job())
def cancel_job(job_id: str) -> Answer:
    parts = wiring.api()
    job = parts.collection.cancel(job_id, _principal())
    return _json(202, parts.reader.render(job, _origin(), wiring.now()))


@app.delete("/jobs/<job_id>", **operations.delete_job())
def delete_job(job_id: str) -> Answer:
    wiring.api().collection.delete(job_id, _principal())
    return Response(204, None, "")


@app.get("/jobs/<job_id>/audio", **operations.get_audio())
def get_audio(job_id: str, format: Annotated[Format | None, Query()] = None) -> Answer:
    parts = wiring.api()
    job, key, kind = parts.collection.audio_key(job_id, _principal(), format)
    link = parts.reader.download(job, key, kind, wiring.now())
    return Response(302, None, "", {"Location": link, "Cache-Control": "no-store"})


@app.get("/models", **operations.list_models())
def list_models() -> Answer:
    parts = wiring.api()
    return _json(200, documents.catalogue(parts.models, parts.settings.chains, _breakers()))


@app.get("/health", **operations.health())
def health() -> Answer:
    parts = wiring.api()
    view = documents.condition(parts.settings.stage, parts.models, _breakers())
    return _json(200, view, {"Cache-Control": "no-store"})


@app.post("/callbacks/replicate", include_in_schema=False)
def replicate_called() -> Answer:
    """Replicate says that a prediction has ended."""
    hear(wiring.hints(), app.current_event.raw_event)
    return Response(204, None, "")


@app.get("/openapi.json", include_in_schema=False)
def openapi() -> Answer:
    return Response(200, JSON, json.dumps(documents.openapi(app, _origin())))


@app.get("/docs", include_in_schema=False)
def docs() -> Answer:
    from lambdas.http.page import page

    headers: Headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    return Response(200, "text/html; charset=utf-8", page(documents.openapi(app, _origin())), headers)


def _breakers() -> Mapping[str, Breaker]:
    parts = wiring.api()
    hosts = (host for chain in parts.settings.chains.values() for host in chain)
    return parts.breakers.states(dict.fromkeys(hosts))


def _json(status: int, view: object, headers: Headers | None = None) -> Response[str]:
    return Response(status, JSON, json.dumps(view), headers or {})


def _principal() -> Principal:
    return anonymous(wiring.api().settings.retention_days)


def _origin() -> str:
    """Where this API was called, stage included, for the links that it gives out."""
    event = app.current_event
    headers = event.headers
    scheme = headers.get("x-forwarded-proto") or "https"
    stage = event.request_context.stage or "v1"
    return f"{scheme.split(',')[0].strip()}://{headers.get('host', '')}/{stage}"


def _made(submission: Submission, wish: Preference | None) -> Answer:
    """The answer to `POST /generate`: the first job made, or what the same Idempotency-Key was answered."""
    parts, origin = wiring.api(), _origin()
    present = tuple(job for job in submission.jobs if not job.deleted)
    jobs = present if wish is None else _wait(present, wish)
    headers: Headers = {"Location": f"{origin}/jobs/{jobs[0].job_id}"} if jobs else {}
    if wish is not None:
        headers["Preference-Applied"] = wish.applied
        if jobs and all(job.status.terminal for job in jobs):
            return _json(201, parts.reader.render(jobs[0], origin, wiring.now()), headers)
    if submission.replayed:
        headers["Idempotent-Replayed"] = "true"
    if submission.answer is not None:
        return Response(202, JSON, submission.answer, {**headers, "Retry-After": "1"})
    standing = _standing(jobs[0])
    headers["Retry-After"] = str(standing.retry_after)
    return _json(202, parts.reader.render(submission.jobs[0], origin, wiring.now(), standing), headers)


def _wait(jobs: tuple[Job, ...], wish: Preference) -> tuple[Job, ...]:
    """Hold until every job has ended, the wish's seconds are over, or the function's own time runs out.

    Raises nothing: the jobs were made, and who is told of an error makes them again.
    """
    collection, principal = wiring.api().collection, _principal()
    left = app.lambda_context.get_remaining_time_in_millis() / 1000 - MARGIN_SECONDS
    end = wiring.now() + timedelta(seconds=min(wish.wait_s, left))
    while not all(job.status.terminal for job in jobs) and wiring.now() < end:
        time.sleep(POLL_SECONDS)
        try:
            jobs = tuple(collection.find(job.job_id, principal) for job in jobs)
        except (RequestError, *PASSING):  # deleted meanwhile, or not to be read just now
            break
    return jobs


def _standing(job: Job) -> Standing:
    """Where a job that was just made stands; nowhere, rather than an error, when that cannot be read."""
    try:
        return wiring.api().collection.standing(job)
    except PASSING:
        return Standing()


def _record(kind: str, error: Exception) -> None:
    log.exception(kind, exc_info=error)
    telemetry.count("UnexpectedErrors", int(kind == "unexpected"))


refusals.attach(app, PASSING, _record)
