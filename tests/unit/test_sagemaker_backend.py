"""The SageMaker backend against a server that speaks as its runtime does, errors included, over real HTTP."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdas.backends.sagemaker import (
    PLAYED_SECONDS,
    QUEUED_SECONDS,
    SILENT_SECONDS,
    SageMakerBackend,
)
from lambdas.core.errors import StoreFault, TransientError, Unfit
from lambdas.core.pieces import Ticket
from lambdas.core.ports import Failed, Finished, Input, Running
from lambdas.core.submitting import DEADLINE
from lambdas.settings import ENDPOINT_REQUESTS, HostingMode
from tests.fakes.loopback import Answer
from tests.fakes.sagemaker import BUCKET, NAME, Site, wire_error

MODES: tuple[HostingMode, ...] = ("async", "gpu", "serverless")


@pytest.fixture
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    found = Site(request.param)
    with found.endpoint:
        yield found


@pytest.fixture
def backend(site: Site) -> Iterator[SageMakerBackend]:
    made = site.endpoint.backend(site.time)
    with closing(made.client):
        yield made


def each(*modes: HostingMode) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("site", modes or MODES, indirect=True)


@each("async")
def test_an_asynchronous_song_is_named_limited_and_told_in_a_file(
    site: Site, backend: SageMakerBackend
) -> None:
    work = replace(site.work(), inputs=(Input("melody", "http://bucket.example/melody", 9.0),))

    backend.start(work)

    [(path, headers, asked)] = site.endpoint.heard
    assert path == f"/endpoints/{NAME}/async-invocations"
    assert headers["x-amzn-sagemaker-inference-id"] == work.id
    assert headers["x-amzn-sagemaker-requestttlseconds"] == str(QUEUED_SECONDS)
    assert headers["x-amzn-sagemaker-invocationtimeoutseconds"] == str(PLAYED_SECONDS)
    assert headers["x-amzn-sagemaker-inputlocation"] == f"s3://{BUCKET}/{ENDPOINT_REQUESTS}/{work.id}.json"
    assert (asked["id"], asked["output_url"], asked["progress_url"]) == (
        work.id,
        work.output_url,
        work.progress_url,
    )
    assert asked["audio"] == {"url": "http://bucket.example/melody", "role": "melody"}
    assert asked["deadline_s"] < PLAYED_SECONDS
    assert "respond_async" not in asked


def test_a_request_is_gone_before_its_job_is_given_up_and_within_sagemakers_limits() -> None:
    assert timedelta(seconds=QUEUED_SECONDS + PLAYED_SECONDS) <= DEADLINE
    assert 60 <= QUEUED_SECONDS <= 21_600
    assert 1 <= PLAYED_SECONDS <= 3600


@each("gpu")
def test_nobody_waits_for_a_song_on_a_gpu(site: Site, backend: SageMakerBackend) -> None:
    ticket = backend.start(site.work())

    [(path, headers, asked)] = site.endpoint.heard
    assert path == f"/endpoints/{NAME}/invocations"
    assert headers["x-amzn-sagemaker-inference-id"] == "job-1-1"
    assert asked["respond_async"] is True
    assert ticket.check_after > 0


@each("serverless")
def test_a_serverless_song_is_waited_for_and_ends_in_its_own_words(
    site: Site, backend: SageMakerBackend
) -> None:
    ticket = backend.start(site.work())

    [(_, _, asked)] = site.endpoint.heard
    assert asked["deadline_s"] < 60
    assert "respond_async" not in asked
    assert ticket.check_after == 0
    assert isinstance(backend.check(site.work(), ticket), Finished)


@each("gpu", "async")
def test_a_song_is_followed_by_what_it_tells_of_itself(site: Site, backend: SageMakerBackend) -> None:
    ticket = backend.start(site.work())

    unheard, playing, over = (backend.check(site.work(), ticket) for _ in range(3))

    assert isinstance(unheard, Running)
    assert (unheard.progress, playing) == (0.0, Running(0.5, "Playing", 2.0))
    assert isinstance(over, Finished)
    assert over.revision == "9f2c"


@each()
def test_a_song_costs_the_seconds_that_it_was_worked_on(site: Site, backend: SageMakerBackend) -> None:
    ticket = backend.start(site.work())
    for _ in range(3):
        state = backend.check(site.work(), ticket)

    assert isinstance(state, Finished)
    assert state.cost_usd == pytest.approx(
        10 * (0.00012 if backend.settings.mode == "serverless" else 1.408 / 3600)
    )


@each()
def test_hardware_without_a_price_costs_nothing_that_we_know_of(
    site: Site, backend: SageMakerBackend
) -> None:
    unpriced = replace(backend, settings=backend.settings.model_copy(update={"hardware": "ml.p9.huge"}))
    ticket = unpriced.start(site.work())

    for _ in range(3):
        state = unpriced.check(site.work(), ticket)

    assert isinstance(state, Finished)
    assert state.cost_usd == 0


@each("serverless")
def test_what_cannot_be_made_in_a_minute_is_refused_before_it_starts_with_the_numbers(
    site: Site, backend: SageMakerBackend
) -> None:
    with pytest.raises(Unfit) as caught:
        backend.start(site.work(duration=90.0))

    assert caught.value.detail == (
        "90 s of MusicGen small take about 113 s to make here, and a serverless endpoint must answer within "
        "60 s: at most 45 s of music fit."
    )
    assert site.endpoint.heard == []


@each("serverless")
def test_the_longest_serverless_song_is_one_that_is_not_refused(
    site: Site, backend: SageMakerBackend
) -> None:
    assert backend.longest == 45

    assert isinstance(backend.start(site.work(duration=backend.longest)), Ticket)


@each("gpu", "async")
def test_a_song_of_five_minutes_passes_where_nobody_waits(site: Site, backend: SageMakerBackend) -> None:
    assert backend.longest == 300

    ticket = backend.start(site.work(duration=300.0))
    for _ in range(3):
        state = backend.check(site.work(duration=300.0), ticket)

    assert isinstance(state, Finished)


@pytest.mark.parametrize("state", [b"", b"[]", b'{"id": "other", "status": "queued"}'])
@each("gpu")
def test_a_container_that_answers_nonsense_has_begun_nothing_that_we_know_of(
    site: Site, backend: SageMakerBackend, monkeypatch: pytest.MonkeyPatch, state: bytes
) -> None:
    monkeypatch.setattr(site.endpoint, "answer", lambda *_: Answer(200, state))

    with pytest.raises(TransientError) as caught:
        backend.start(site.work())

    assert caught.value.code == "bad_answer"


@each("async")
def test_a_request_that_never_reached_the_container_has_failed_for_now(
    site: Site, backend: SageMakerBackend
) -> None:
    ticket = backend.start(site.work())
    site.endpoint.stored["raw/endpoint-failures/job-1-1-error.out"] = b"Request expired"

    state = backend.check(site.work(), ticket)

    assert state == Failed(
        "request_failed", "SageMaker could not have this request answered.", transient=True
    )


@pytest.mark.parametrize("transient", [True, False])
@each("async")
def test_what_the_container_said_in_an_asynchronous_failure_counts(
    site: Site, backend: SageMakerBackend, transient: bool
) -> None:
    ticket = backend.start(site.work())
    said = wire_error("invalid", transient=transient).encode()
    site.endpoint.stored["raw/endpoint-failures/job-1-1-error.out"] = said

    state = backend.check(site.work(), ticket)

    assert state == Failed("invalid", "d" * 300, transient)


@each("async")
def test_an_answer_counts_although_its_progress_could_not_be_told(
    site: Site, backend: SageMakerBackend
) -> None:
    ticket = backend.start(site.work())
    finished = {"id": "job-1-1", "status": "finished", "progress": 1.0, "work_s": 9.0, "revision": "9f2c"}
    site.endpoint.stored["raw/endpoint-answers/job-1-1.out"] = json.dumps(finished).encode()

    state = backend.check(site.work(), ticket)

    assert isinstance(state, Finished)


@each("async")
def test_a_request_whose_time_ran_out_is_lost(site: Site, backend: SageMakerBackend) -> None:
    ticket = backend.start(site.work())
    site.time.pass_by(QUEUED_SECONDS + PLAYED_SECONDS - 1)
    before = backend.check(site.work(), ticket)

    site.time.pass_by(120)
    after = backend.check(site.work(), ticket)

    assert isinstance(before, Running)
    assert isinstance(after, Failed)
    assert (after.code, after.transient) == ("lost", True)


@each("gpu")
def test_a_song_whose_instance_went_silent_is_lost_and_one_that_speaks_is_not(
    site: Site, backend: SageMakerBackend
) -> None:
    ticket = backend.start(site.work())
    backend.check(site.work(), ticket)
    site.time.pass_by(SILENT_SECONDS["gpu"] + 100)

    speaking = backend.check(site.work(), ticket)
    site.endpoint.songs["job-1-1"].age = SILENT_SECONDS["gpu"] + 50
    site.endpoint.songs["job-1-1"].looks = 0
    silent = backend.check(site.work(), ticket)

    assert isinstance(speaking, Running)
    assert isinstance(silent, Failed)
    assert silent.code == "lost"


@each("gpu")
def test_a_song_on_a_gpu_is_stopped_by_its_name(site: Site, backend: SageMakerBackend) -> None:
    ticket = backend.start(site.work())

    backend.cancel(ticket)

    assert site.endpoint.heard[-1][2] == {"cancel": "job-1-1"}
    state = backend.check(site.work(), ticket)
    assert isinstance(state, Failed)
    assert (state.code, state.transient) == ("canceled", True)


@each("async", "serverless")
def test_what_cannot_be_taken_back_is_not_asked_about(site: Site, backend: SageMakerBackend) -> None:
    ticket = backend.start(site.work())

    backend.cancel(ticket)

    assert len(site.endpoint.heard) == 1


@each("async")
def test_an_older_botocore_can_ask_as_well(site: Site, backend: SageMakerBackend) -> None:
    shape: Any = backend.client.meta.service_model.operation_model("InvokeEndpointAsync").input_shape
    del shape.members["Body"], shape.serialization["payload"]

    assert isinstance(backend.start(site.work()), Ticket)


@each("async")
def test_a_store_that_takes_no_request_says_nothing_of_the_endpoint(
    site: Site, backend: SageMakerBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ClientError({"Error": {"Code": "SlowDown"}}, "PutObject")

    monkeypatch.setattr(site.endpoint.objects, "write", broken)

    with pytest.raises(StoreFault) as caught:
        backend.start(site.work())

    assert caught.value.code == "request_unstored"
    assert site.endpoint.heard == []
