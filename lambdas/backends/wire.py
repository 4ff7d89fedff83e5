"""The wire contract of our container (docs/wire.md), version 1, from a client's side.

Knows what is asked of a container and what it says. Must not know who carries the words.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from lambdas.backends.words import Said
from lambdas.core.errors import BackendError, Busy, HostRefusal, PermanentError, TransientError, Waking
from lambdas.core.ports import Failed, Finished, Input, Running, Work

WIRE = "1"
OPTIONS = ("temperature", "top_k", "top_p", "guidance")
WELL = {"busy": Busy, "loading": Waking}  # what a container calls it that has no place, or none yet
UNWELL = 503  # the status of a refusal that is about the container, whatever was asked
CHECK_AFTER = 2.0  # seconds; no container tells more often


class _Told(BaseModel):
    """A newer container may say more; what it does not say as agreed is refused."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Problem(_Told):
    code: Annotated[str, Field(pattern="^[a-z0-9_]{1,64}$")]
    detail: Said
    transient: Annotated[bool, Field(strict=True)]


class Refusal(_Told):
    error: Problem


class State(_Told):
    id: str
    status: Literal["queued", "running", "finished", "failed", "canceled"]
    progress: Annotated[float, Field(ge=0, le=1)] = 0.0
    message: Said = ""
    queue_position: int | None = None
    work_s: Annotated[float, Field(ge=0)] = 0.0  # seconds of computing
    error: Problem | None = None
    report: dict[Said, float | Said] | None = None
    revision: Said | None = None

    @property
    def ended(self) -> bool:
        return self.status in ("finished", "failed", "canceled")


def asked(work: Work) -> dict[str, object]:
    """The body of `POST /invocations`."""
    piece = work.piece
    options = {name: getattr(piece, name) for name in OPTIONS}
    return {
        "id": work.id,
        "prompt": piece.effective_prompt,
        "duration": piece.duration,
        "seed": piece.seed,
        "output_url": work.output_url,
        **{name: value for name, value in options.items() if value is not None},
        **_recordings(work.inputs),
    }


def _recordings(inputs: Sequence[Input]) -> dict[str, object]:
    """They come cut and ready, so a container is told of no seconds."""
    tracks = [{"url": each.url} for each in inputs if each.role == "track"]
    others = [{"url": each.url, "role": each.role} for each in inputs if each.role != "track"]
    return {**({"tracks": tracks} if tracks else {}), **({"audio": others[0]} if others else {})}


def refusal(told: Problem, status: int, wait: float) -> BackendError:
    """What a container's own error means. `wait`: seconds until another try, where one is worth it."""
    if told.transient:
        return WELL.get(told.code, TransientError)(told.code, told.detail, wait)
    return (HostRefusal if status == UNWELL else PermanentError)(told.code, told.detail)


def meaning(state: State, cost_usd: float = 0.0) -> Running | Finished | Failed:
    """`cost_usd`: what it has cost if it is over."""
    if state.status == "finished":
        return Finished(cost_usd, state.revision, state.report)
    if state.status == "canceled":
        return Failed("canceled", "The container stopped this work.", transient=True, cost_usd=cost_usd)
    if state.status == "failed":
        error = state.error or Problem(code="failed", detail="It did not say why.", transient=True)
        return Failed(error.code, error.detail, error.transient, cost_usd=cost_usd)
    message = state.message or "Making music"
    if state.queue_position is not None:
        message = f"{message} ({state.queue_position} in the queue)"
    return Running(state.progress, message, CHECK_AFTER)
