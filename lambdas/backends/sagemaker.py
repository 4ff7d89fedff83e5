"""A SageMaker endpoint as a backend: our container, asked in the way that each of its three modes allows.

    async        queued by SageMaker, told of over progress and notices; there may be no instance at first
    gpu          begun and answered at once; told of over progress
    serverless   has a processor only while a request is open, so this start alone waits for the song

Knows SageMaker's runtime and its limits. Must not know stacks, or what becomes of the audio.
"""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError
from pydantic import BaseModel, ConfigDict, ValidationError

from lambdas.backends.progress import Look, Seen
from lambdas.backends.sagemaker_errors import Status, problem, translated
from lambdas.backends.wire import State, asked, meaning
from lambdas.core import prices
from lambdas.core.errors import StoreFault, TransientError, Unfit
from lambdas.core.models import CATALOGUE
from lambdas.core.paces import ANSWER_SECONDS, longest, pace
from lambdas.core.pieces import Ticket
from lambdas.core.ports import Clock, Failed, Finished, ObjectStore, Running, Work
from lambdas.settings import ENDPOINT_REQUESTS, SageMakerSettings

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

JSON = "application/json"
LARGEST = 64 << 10  # bytes of a container's answer

SERVERLESS_SECONDS = 60.0  # SageMaker's own limit

# A job is given up an hour after it was asked for; presigned addresses live for hours. There is no call that
# takes a request back, so one that nobody wants any more should not lie there for long.
QUEUED_SECONDS = 1800  # RequestTTLSeconds
PLAYED_SECONDS = 1800  # InvocationTimeoutSeconds
SILENT_SECONDS = {"async": QUEUED_SECONDS + PLAYED_SECONDS + 60.0, "gpu": 900.0, "serverless": 180.0}
"""Without a word for so long, work is lost. Songs that share a GPU wait for their turns between windows; a
serverless endpoint may load its model for three minutes."""

PATIENCE = {"async": 20.0, "gpu": 20.0, "serverless": 75.0}
"""Seconds that the client waits for an answer; a conductor's step has 120."""

UNHEARD = {"async": "Waiting for an instance", "gpu": "Waiting for a turn", "serverless": "Making music"}
UNHEARD_CHECK = 10.0  # seconds; a notice makes an earlier one
BEGUN_CHECK = 2.0  # seconds; no notice comes of what was begun and left


class _Receipt(BaseModel):
    """What a ticket holds. `output`, `failure`: keys of an asynchronous answer. `state`: of what is over.

    A newer version may have written it, with more in it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    began: float
    output: str | None = None
    failure: str | None = None
    state: State | None = None

    def ticket(self, check_after: float) -> Ticket:
        return Ticket(id=self.model_dump_json(exclude_none=True), check_after=check_after)


@dataclass(frozen=True)
class SageMakerBackend:
    """Implements ports.Backend. The client must try once only: InvokeEndpointAsync has no idempotency.

    objects, bucket: where asynchronous requests and answers lie. status: the endpoint's.
    """

    client: "SageMakerRuntimeClient"
    settings: SageMakerSettings
    look: Look
    objects: ObjectStore
    bucket: str
    status: Status
    clock: Clock

    @property
    def longest(self) -> float:
        model, hardware = self.settings.model, self.settings.hardware
        return min(CATALOGUE[model].duration.high, longest(model, "sagemaker", hardware))

    def start(self, work: Work) -> Ticket:
        begin = {"async": self._queue, "gpu": self._begin, "serverless": self._play}[self.settings.mode]
        limit = SERVERLESS_SECONDS if self.settings.mode == "serverless" else None
        began = self.clock()
        try:
            return begin(work, asked(work) | {"progress_url": work.progress_url})
        except (BotoCoreError, ClientError) as error:
            refusal = translated(error, limit, self.status)
            if limit is not None:  # billed for as long as it was open, whatever came of it
                refusal.cost_usd = self._usd((self.clock() - began).total_seconds())
            raise refusal from error

    def check(self, work: Work, ticket: Ticket) -> Running | Finished | Failed:
        try:
            receipt = _Receipt.model_validate_json(ticket.id)
        except ValidationError:
            return Failed("unknown_work", "This is no work of the endpoint's.", transient=True)
        seen = None if receipt.state else self.look(work.progress_link)
        state = receipt.state or (None if seen is None else _state(seen.body, receipt.id))
        if state is None or not state.ended:
            state = self._answer(receipt) or state
        if state is not None and state.ended:
            return meaning(state, self._usd(state.work_s))
        return self._refusal(receipt) or self._lost(receipt, seen) or _running(state, self.settings.mode)

    def cancel(self, ticket: Ticket) -> None:
        """Best effort: an endpoint of several instances may ask another one than that which plays."""
        if self.settings.mode != "gpu":  # asynchronous requests cannot be taken back, nor ones that are over
            return
        try:
            receipt = _Receipt.model_validate_json(ticket.id)
        except ValidationError:
            return
        try:
            self._invoke(receipt.id, {"cancel": receipt.id})
        except (BotoCoreError, ClientError) as error:
            raise translated(error) from error

    def _queue(self, work: Work, body: dict[str, object]) -> Ticket:
        request = json.dumps(body | {"deadline_s": PLAYED_SECONDS - 30}).encode()
        answer = self.client.invoke_endpoint_async(
            EndpointName=self.settings.endpoint,
            InferenceId=work.id,
            ContentType=JSON,
            Accept=JSON,
            RequestTTLSeconds=QUEUED_SECONDS,
            InvocationTimeoutSeconds=PLAYED_SECONDS,
            InputLocation=self._store(f"{ENDPOINT_REQUESTS}/{work.id}.json", request),
        )
        output, failure = answer.get("OutputLocation"), answer.get("FailureLocation")
        return self._receipt(work, output=_key(output), failure=_key(failure)).ticket(UNHEARD_CHECK)

    def _begin(self, work: Work, body: dict[str, object]) -> Ticket:
        said = self._invoke(work.id, body | {"respond_async": True, "deadline_s": 3600})
        if _state(said, work.id) is None:
            raise TransientError("bad_answer", "The model's container answers without sense.")
        return self._receipt(work).ticket(BEGUN_CHECK)

    def _play(self, work: Work, body: dict[str, object]) -> Ticket:
        self._refuse_what_is_too_long(work)
        try:
            # The container ends it in its own words before SageMaker would.
            said = self._invoke(work.id, body | {"deadline_s": ANSWER_SECONDS})
        except ReadTimeoutError:  # while a model is loaded; what was asked is still being done
            return self._receipt(work).ticket(UNHEARD_CHECK)
        return self._receipt(work, state=_state(said, work.id)).ticket(0.0)

    def _invoke(self, id: str, body: dict[str, object]) -> bytes:
        answer = self.client.invoke_endpoint(
            EndpointName=self.settings.endpoint,
            InferenceId=id,
            ContentType=JSON,
            Accept=JSON,
            Body=json.dumps(body).encode(),
        )
        return answer["Body"].read(LARGEST)

    def _receipt(
        self, work: Work, output: str | None = None, failure: str | None = None, state: State | None = None
    ) -> _Receipt:
        began = self.clock().timestamp()
        return _Receipt(id=work.id, began=began, output=output, failure=failure, state=state)

    def _refuse_what_is_too_long(self, work: Work) -> None:
        model, seconds = CATALOGUE[self.settings.model], work.piece.duration
        if seconds > self.longest:
            work_s = seconds * pace(model.id, "sagemaker", self.settings.hardware)
            raise Unfit(
                "too_long",
                f"{seconds:g} s of {model.title} take about {work_s:.0f} s to make "
                f"here, and a serverless endpoint must answer within {SERVERLESS_SECONDS:g} s: at most "
                f"{self.longest:g} s of music fit.",
            )

    def _store(self, key: str, request: bytes) -> str:
        """As a file: only botocore of June 2026 or newer can send it along, and a function's may be older."""
        try:
            self.objects.write(key, request, JSON, "request.json")
        except (BotoCoreError, ClientError) as error:
            raise StoreFault("request_unstored", "The store of requests does not answer.") from error
        return f"s3://{self.bucket}/{key}"

    def _answer(self, receipt: _Receipt) -> State | None:
        """What the container answered to an asynchronous request: its state, as progress may have told it."""
        stored = self._stored(receipt.output)
        return None if stored is None else _state(stored, receipt.id)

    def _refusal(self, receipt: _Receipt) -> Failed | None:
        """Why an asynchronous request failed, before it reached the container or there."""
        stored = self._stored(receipt.failure)
        if stored is None:
            return None
        told = problem(stored)
        if told is not None:
            return Failed(told.code, told.detail, told.transient)
        return Failed("request_failed", "SageMaker could not have this request answered.", transient=True)

    def _stored(self, key: str | None) -> bytes | None:
        try:
            return None if key is None else self.objects.read(key)
        except (BotoCoreError, ClientError) as error:
            raise StoreFault("answer_unreadable", "The store of answers does not answer.") from error

    def _lost(self, receipt: _Receipt, seen: Seen | None) -> Failed | None:
        since = self.clock().timestamp() - receipt.began
        silent = since if seen is None or self.settings.mode == "async" else min(since, seen.age)
        if silent <= SILENT_SECONDS[self.settings.mode]:
            return None
        return Failed("lost", f"Nothing was heard of this work for {silent:.0f} s.", transient=True)

    def _usd(self, work_s: float) -> float:
        """Dollars for the seconds that it was worked on; an instance's idle ones are nobody's."""
        try:
            return prices.usd("sagemaker", self.settings.hardware, work_s)
        except KeyError:
            return 0.0


def _state(said: bytes, id: str) -> State | None:
    """None for anything but the state of this work."""
    try:
        state = State.model_validate_json(said)
    except ValidationError:
        return None
    return state if state.id == id else None


def _running(state: State | None, mode: str) -> Running:
    if state is None:
        return Running(0.0, UNHEARD[mode], BEGUN_CHECK if mode == "gpu" else UNHEARD_CHECK)
    running = meaning(state)
    return running if isinstance(running, Running) else Running(state.progress)


def _key(location: str | None) -> str | None:
    """The key in `s3://bucket/key`."""
    return location.removeprefix("s3://").partition("/")[2] or None if location else None
