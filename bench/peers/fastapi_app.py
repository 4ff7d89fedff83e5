"""`POST /generate` as one would write it with FastAPI and Mangum: the peer of the api function.

The request's model, the use case, the adapters, the logs and the counters are the product's own; routing,
validation, problem details and the Lambda event are FastAPI's and Mangum's. The endpoint is `async` though
its AWS calls block: a Lambda serves one request at a time, and a plain `def` would pay for a thread's round
trip, so this is the faster of the two idiomatic forms.
"""

import json
from typing import Annotated, Any

from fastapi import FastAPI, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from mangum import Mangum

from lambdas import wiring
from lambdas.core.errors import Pointer, RequestError, TransientError
from lambdas.core.principals import anonymous
from lambdas.core.requests import GenerateRequest
from lambdas.http.preferences import preference
from lambdas.telemetry import Telemetry

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"

app = FastAPI(title="Cadenza", version="0.1.0")
telemetry = Telemetry("peer")


class Problem(JSONResponse):
    media_type = PROBLEM_JSON


@app.post("/generate", status_code=202, summary="Make music", tags=["Music"])
async def generate(
    request: Request,
    body: GenerateRequest,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
    prefer: Annotated[str | None, Header(max_length=1000)] = None,
    cache_control: Annotated[str | None, Header(max_length=1000)] = None,
) -> Response:
    parts, origin = wiring.api(), _origin(request)
    submission = parts.submitter.submit(
        body,
        anonymous(parts.settings.retention_days),
        origin,
        idempotency_key,
        use_cache="no-cache" not in (cache_control or "").lower(),
        render=lambda jobs: json.dumps(parts.reader.render(jobs[0], origin, wiring.now())),
    )
    telemetry.count("JobsSubmitted", len(submission.jobs))
    headers = {"Location": f"{origin}/jobs/{submission.jobs[0].job_id}"}
    wish = preference(prefer)
    if wish is not None:
        headers["Preference-Applied"] = wish.applied
    if submission.answer is not None:
        replayed = {**headers, "Idempotent-Replayed": "true", "Retry-After": "1"}
        return Response(submission.answer, 202, replayed, JSON)
    standing = parts.collection.standing(submission.jobs[0])
    headers["Retry-After"] = str(standing.retry_after)
    view = parts.reader.render(submission.jobs[0], origin, wiring.now(), standing)
    return Response(json.dumps(view), 202, headers, JSON)


@app.exception_handler(RequestError)
async def refused(request: Request, error: RequestError) -> Problem:
    return _problem(request, 422, error.code, error.detail, error.errors)


@app.exception_handler(RequestValidationError)
async def invalid(request: Request, error: RequestValidationError) -> Problem:
    faults = [Pointer("/" + "/".join(map(str, fault["loc"][1:])), fault["msg"]) for fault in error.errors()]
    return _problem(request, 422, "invalid_request", "; ".join(f.detail for f in faults), faults)


@app.exception_handler(TransientError)
async def busy(request: Request, error: TransientError) -> Problem:
    return _problem(request, 503, "temporarily_unavailable", "The service is busy; try again.")


def _problem(request: Request, status: int, code: str, detail: str, faults: Any = ()) -> Problem:
    view = {
        "type": f"urn:cadenza:problem:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        "code": code,
        "request_id": request.scope["aws.event"]["requestContext"]["requestId"],
        "errors": [{"pointer": fault.pointer, "detail": fault.detail} for fault in faults],
    }
    return Problem(view, status)


def _origin(request: Request) -> str:
    scheme = request.headers.get("x-forwarded-proto", "https")
    stage = request.scope["aws.event"]["requestContext"]["stage"]
    return f"{scheme}://{request.headers.get('host', '')}/{stage}"


mangum = Mangum(app, lifespan="off", text_mime_types=[JSON, PROBLEM_JSON, "text/"])


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    telemetry.log.append_keys(request_id=event["requestContext"]["requestId"])
    answer = mangum(event, context)
    told = {"method": event["httpMethod"], "path": event["path"], "status": answer["statusCode"]}
    telemetry.log.info("request", extra=told)
    telemetry.publish()
    return answer
