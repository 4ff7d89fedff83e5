"""What the API answers, as types for its OpenAPI document. Nothing is checked against them while serving."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

StatusName = Literal["queued", "processing", "completed", "failed", "canceled"]
BreakerName = Literal["closed", "open", "half_open"]


class View(BaseModel):
    # Built when the document is asked for, which is rare, and not at every cold start.
    model_config = ConfigDict(defer_build=True)


class Fault(View):
    code: str
    detail: str


class Trial(Fault):
    attempt: int
    backend: str


class FileView(View):
    bytes: int
    sha256: str
    signed: bool = Field(description="Whether the file carries a signed C2PA manifest.")


class AudioView(View):
    seconds: float
    sample_rate: int
    channels: int
    loudness_lufs: float | None
    true_peak_dbtp: float | None


class CostView(View):
    estimate_usd: float
    actual_usd: float | None


class TimingsView(View):
    queued_s: float | None
    model_s: float | None
    mastering_s: float | None


class UrlsView(View):
    self: str
    cancel: str
    audio: str


class JobView(View):
    job_id: str
    status: StatusName
    progress: int = Field(ge=0, le=100)
    message: str
    queue_position: int | None
    estimated_wait: float | None = Field(description="Seconds.")
    title: str
    favourite: bool
    model: str
    model_revision: str
    licence: str
    backend: str | None
    mock: bool
    prompt: str
    effective_prompt: str
    parameters: dict[str, Any]
    variations: list[str] = Field(description="Ids of all variations of one request, this one included.")
    cached: bool
    audio_url: str | None = Field(description="A presigned link, minted at this reading.")
    audio_url_expires_at: str | None
    file_key: str | None
    s3_uri: str | None
    formats: dict[str, FileView] | None
    peaks_url: str | None
    audio: AudioView | None
    report: dict[str, float | str] | None = Field(description="What the model says of its result.")
    cost: CostView
    timings: TimingsView
    trials: list[Trial] = Field(description="Attempts that gave no audio.")
    error: Fault | None
    created_at: str
    started_at: str | None
    completed_at: str | None
    expires_at: str
    urls: UrlsView


class UploadView(View):
    upload_id: str = Field(description="What `tracks` and `audio` name it by.")
    url: str
    fields: dict[str, str] = Field(description="Form fields to send as they are, before the file.")
    filename: str
    expires_at: str = Field(description="Until when the form is good.")
    deleted_at: str = Field(description="Until when the file is kept.")


class JobList(View):
    jobs: list[JobView]
    next_cursor: str | None = Field(
        description="Give it back as `cursor` for the next page; null at the end."
    )


class BackendView(View):
    name: str
    healthy: bool
    breaker: BreakerName


class InputView(View):
    seconds: float = Field(description="How much of the recording is used.")


class ModelView(View):
    id: str
    title: str
    revision: str
    tasks: list[str]
    limits: dict[str, float]
    options: dict[str, list[float] | None] = Field(description="Optional fields it takes, with their range.")
    inputs: dict[str, InputView] = Field(
        description="Recordings it takes, by role: two as `track`, or one as another."
    )
    sample_rate: int
    channels: int
    licence: str
    commercial_use: bool
    mock: bool
    backends: list[BackendView]
    usd_per_second: float


class ModelList(View):
    default: str
    models: list[ModelView]


class HealthView(View):
    status: Literal["ok", "degraded"]
    version: str
    stage: str
    models: list[str]
    backends: dict[str, BreakerName] = Field(
        description="Each host of a model, and its circuit breaker: one that is open is left alone."
    )


class ErrorView(View):
    pointer: str = Field(description="A JSON pointer into the body, or a parameter's name.")
    detail: str


class ProblemView(View):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    errors: list[ErrorView] | None = None
