"""MusicGen on Replicate as a backend: one prediction per work, polled, its audio copied before it is gone.

Speaks https://api.replicate.com/openapi.json by itself (docs/backends.md says why). The inputs are those of
https://replicate.com/meta/musicgen, whose source is https://github.com/replicate/cog-musicgen. Must not know
what becomes of the audio, or who else makes music.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal
from urllib.parse import quote, urlencode

import urllib3
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from urllib3.util import parse_url

from lambdas.backends.download import MOST, Download
from lambdas.backends.replicate_api import ReplicateApi, explained
from lambdas.backends.wav import beginning
from lambdas.backends.words import plain
from lambdas.core import prices
from lambdas.core.errors import BackendError, HostRefusal, PermanentError, Unfit
from lambdas.core.paces import LONGEST
from lambdas.core.pieces import Piece, Ticket
from lambdas.core.works import Failed, Finished, Input, Running, Work

BASE_URL = "https://api.replicate.com/v1"
# And its subdomains: where outputs are served from, as the API's document says.
DELIVERY = "replicate.delivery"
STEPS = re.compile(r"(\d+)\s*/\s*(\d+)\s*$")  # the last line that MusicGen logs: tokens made, of how many
LATEST_LOG = 200  # characters
SEED_FOR_ZERO = 2**32 - 1  # there, 0 means a seed of its own choice
PASSING = re.compile(r"\bE\d{4}\b|interrupted|please retry|\bCUDA\b|timed? ?out", re.IGNORECASE)
"""Errors of Replicate's machines rather than of what was asked: https://replicate.com/docs/reference/error-codes"""
UNDER_WAY = ("starting", "processing")
OVER = (404, 409, 410, 422)  # what canceling something unknown or ended may be answered

Put = Callable[[str, bytes], object]  # a presigned address, the audio


class _Metrics(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    predict_time: Annotated[float, Field(ge=0)] | None = None  # seconds


class _Prediction(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    status: Literal["starting", "processing", "succeeded", "failed", "canceled", "aborted"]
    version: str = ""
    output: JsonValue = None
    error: JsonValue = None
    logs: str | None = None
    metrics: _Metrics | None = None
    started_at: str | None = None


@dataclass(frozen=True)
class ReplicateBackend:
    """Implements ports.Backend. A ticket's id is the prediction's.

    A start is sent once: Replicate has no idempotency key, so one whose answer was lost may have begun work,
    which `cancel_after` ends. version: of meta/musicgen. hardware: a key of the price table. token: read at
    each use. webhook_url: where we hear of an end; the job's id is put behind it.
    """

    version: str
    hardware: str
    token: Callable[[], str]
    http: urllib3.PoolManager
    put: Put
    base_url: str = BASE_URL
    webhook_url: str | None = None
    cancel_after: int = 900  # seconds
    most: int = MOST  # bytes of an output
    longest: ClassVar[float] = LONGEST["replicate"]

    def start(self, work: Work) -> Ticket:
        body: dict[str, JsonValue] = {"version": self.version, "input": _asked(work)}
        if self.webhook_url is not None:
            job_id = work.id.removesuffix(f"-{work.attempt}")
            body["webhook"] = f"{self.webhook_url}?{urlencode({'job': job_id})}"
            body["webhook_events_filter"] = ["completed"]
        headers = {"cancel-after": f"{self.cancel_after}s"}
        answer = self._api.ask("POST", "/predictions", body, headers, repeatable=False)
        if answer.status not in (200, 201, 202):
            raise explained(answer)
        return Ticket(id=answer.read(_Prediction).id, check_after=self._pause)

    def check(self, work: Work, ticket: Ticket) -> Running | Finished | Failed:
        answer = self._api.ask("GET", _path(ticket))
        if answer.status == 404:
            return Failed("unknown_work", "Replicate does not know this prediction.", transient=True)
        if answer.status != 200:
            raise explained(answer)
        prediction = answer.read(_Prediction)
        if prediction.status == "succeeded":
            return self._finish(work, prediction)
        if prediction.status in UNDER_WAY:
            return self._running(prediction)
        return self._failed(prediction)

    def cancel(self, ticket: Ticket) -> float | None:
        answer = self._api.ask("POST", f"{_path(ticket)}/cancel")
        if answer.status in OVER:
            return None
        if answer.status >= 300:
            raise explained(answer)
        prediction = answer.read(_Prediction)
        return None if prediction.status in UNDER_WAY else self._cost(prediction)

    @property
    def _api(self) -> ReplicateApi:
        return ReplicateApi(self.base_url, self.token, self.http)

    @property
    def _pause(self) -> float:
        """Seconds between checks. Where a webhook tells of the end, checks are for lost webhooks only."""
        return 3.0 if self.webhook_url is None else 10.0

    def _running(self, prediction: _Prediction) -> Running:
        if prediction.status == "starting":
            return Running(0.0, "Waiting for a machine at Replicate", self._pause)
        return Running(_progress(prediction.logs or ""), "Making music", self._pause)

    def _finish(self, work: Work, prediction: _Prediction) -> Finished | Failed:
        cost = self._cost(prediction)
        try:
            stored = self._store(work, prediction)
        except BackendError as error:
            error.cost_usd = cost  # it was computed all the same
            raise
        if not stored:
            return Failed("output_gone", "Replicate no longer has the audio.", transient=True, cost_usd=cost)
        return Finished(
            cost_usd=cost,
            revision=f"meta/musicgen@{(prediction.version or self.version)[:8]} {_edition(work.piece)}",
        )

    def _store(self, work: Work, prediction: _Prediction) -> bool:
        """Copy the audio to where the work wants it; False when it is gone. Raises BackendError."""
        outputs = prediction.output if isinstance(prediction.output, list) else [prediction.output]
        url = outputs[0] if outputs else None
        download = Download(self.http, self._serves, self.most)
        audio = download.wav(url, self._api.credentials()) if isinstance(url, str) else None
        if audio is not None:
            self.put(work.output_url, beginning(audio, work.piece.duration))
        return audio is not None

    def _failed(self, prediction: _Prediction) -> Failed:
        """Raises HostRefusal when Replicate had no machine."""
        cost = self._cost(prediction)
        if prediction.status == "aborted":
            refusal = HostRefusal("no_machine", "No machine at Replicate was free in time.")
            refusal.cost_usd = cost
            raise refusal
        if prediction.status == "canceled":
            stopped = "Replicate stopped it, or its time was over."
            return Failed("canceled", stopped, transient=True, cost_usd=cost)
        said = plain(str(prediction.error or "It did not say why."))
        # What failed by what was asked fails there again, and may not on the next host.
        elsewhere = PASSING.search(said) is None
        return Failed("failed", said, transient=True, elsewhere=elsewhere, cost_usd=cost)

    def _cost(self, prediction: _Prediction) -> float | None:
        """Dollars, where it tells. Only computing is billed; what ended before it began tells of none."""
        seconds = prediction.metrics.predict_time if prediction.metrics else None
        if seconds is None:
            return None if prediction.started_at else 0.0
        return round(prices.usd("replicate", self.hardware, seconds), 6)

    def _serves(self, url: str) -> bool:
        """Whether outputs may lie here: beside the API itself, or on the hosts that its document names.

        Read by the parser that the connection goes by: others find another host in what is no clean address.
        """
        try:
            parts, own = parse_url(url), parse_url(self.base_url)
        except ValueError:
            return False
        if (parts.scheme, parts.netloc) == (own.scheme, own.netloc):
            return True
        host = parts.host or ""
        known = host == DELIVERY or host.endswith(f".{DELIVERY}")
        return known and parts.scheme == "https" and parts.port in (None, 443) and parts.auth is None


def _path(ticket: Ticket) -> str:
    return f"/predictions/{quote(ticket.id, safe='')}"


def _edition(piece: Piece) -> str:
    """Which of the four checkpoints there makes it: the large one of the model's kind. Raises Unfit."""
    family, *kind = piece.model.split("-")
    if family != "musicgen":
        raise Unfit("not_hosted", f"Replicate is set up for MusicGen, not for {piece.model}.")
    return "-".join([*(word for word in ("stereo", "melody") if word in kind), "large"])


def _asked(work: Work) -> dict[str, JsonValue]:
    """The model's inputs; what a piece leaves open is left to the model's defaults."""
    piece = work.piece
    duration = math.ceil(piece.duration)
    if duration > ReplicateBackend.longest:
        raise Unfit("too_long", "Replicate's MusicGen makes at most 30 seconds at a time.")
    options: dict[str, JsonValue] = {
        "temperature": piece.temperature,
        "top_k": piece.top_k,
        "top_p": piece.top_p,
        "classifier_free_guidance": None if piece.guidance is None else round(piece.guidance),
    }
    return {
        "model_version": _edition(piece),
        "prompt": piece.effective_prompt,
        "duration": duration,
        "seed": piece.seed or SEED_FOR_ZERO,
        "output_format": "wav",
        "normalization_strategy": "peak",  # the one that neither compresses nor clips: mastering is ours
        **{name: value for name, value in options.items() if value is not None},
        **_recording(work.inputs, piece, duration),
    }


def _recording(inputs: tuple[Input, ...], piece: Piece, duration: int) -> dict[str, JsonValue]:
    if not inputs:
        return {}
    if len(inputs) > 1 or inputs[0].role not in ("melody", "continue"):
        raise Unfit("not_hosted", "Replicate's MusicGen takes one melody or one beginning.")
    recording = inputs[0]
    if recording.role == "melody":
        if "melody" not in _edition(piece):
            raise Unfit("not_hosted", f"{piece.model} takes no melody at Replicate.")
        return {"input_audio": recording.url}
    if duration <= recording.seconds:
        raise PermanentError("nothing_to_continue", "The recording is as long as the whole piece is to be.")
    return {"input_audio": recording.url, "continuation": True}


def _progress(logs: str) -> float:
    found = STEPS.search(logs[-LATEST_LOG:])
    made, total = (int(found[1]), int(found[2])) if found else (0, 0)
    return min(made / total, 1.0) if total else 0.0
