"""What SageMaker and the container behind it refuse, as botocore reads it from real HTTP."""

import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from lambdas.backends.sagemaker import SILENT_SECONDS, SageMakerBackend
from lambdas.core.errors import (
    BackendError,
    Busy,
    HostRefusal,
    Lost,
    PermanentError,
    TransientError,
    Unfit,
    Waking,
)
from lambdas.core.ports import Failed, Running
from lambdas.settings import HostingMode
from tests.fakes.examples import NOW
from tests.fakes.sagemaker import NAME, Refusal, Site, client, model_error, wire_error

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


REFUSED = [
    (Refusal(400, "ThrottlingException"), TransientError, "throttled"),
    (Refusal(429, "ThrottlingException"), Busy, "throttled"),
    (Refusal(429, "TooManyRequestsException"), Busy, "throttled"),
    (Refusal(429, "ModelNotReadyException"), Waking, "cold"),
    (Refusal(503, "ServiceUnavailable"), TransientError, "unavailable"),
    (Refusal(500, "InternalFailure"), TransientError, "unavailable"),
    (Refusal(530, "InternalDependencyException"), TransientError, "unavailable"),
    (Refusal(500), TransientError, "unavailable"),
    (Refusal(502), TransientError, "unavailable"),
    (Refusal(429), TransientError, "unavailable"),
    (Refusal(400, "ExpiredTokenException"), TransientError, "credentials_expired"),
    (Refusal(400, "ValidationError", "Invalid ContentType."), HostRefusal, "no_endpoint"),
    (Refusal(400, "ServiceQuotaExceededException"), HostRefusal, "quota"),
    (Refusal(400, "AccessDeniedException"), HostRefusal, "not_allowed"),
    (Refusal(403, "UnrecognizedClientException"), HostRefusal, "not_allowed"),
    (Refusal(403, "InvalidSignatureException"), HostRefusal, "not_allowed"),
    (Refusal(413, None, "HTTP content length exceeded 6291456 bytes."), HostRefusal, "not_allowed"),
]


@each()
@pytest.mark.parametrize(
    ("refusal", "kind", "code"), REFUSED, ids=[f"{each[0].code} {each[0].status}" for each in REFUSED]
)
def test_each_refusal_of_sagemakers_has_its_meaning(
    site: Site, backend: SageMakerBackend, refusal: Refusal, kind: type[BackendError], code: str
) -> None:
    site.endpoint.refusals = [refusal] * 5

    with pytest.raises(kind) as caught:
        backend.start(site.work())

    assert caught.value.code == code
    assert len(site.endpoint.heard) == 1, "a start is sent once"


ABSENT = Refusal(400, "ValidationError", f"Endpoint {NAME} of account 1 not found.")


@each()
@pytest.mark.parametrize("status", ["Creating", "Updating", "SystemUpdating", "RollingBack", "InService"])
def test_an_endpoint_that_is_being_made_is_waited_for(
    site: Site, backend: SageMakerBackend, status: str
) -> None:
    site.endpoint.refusals, site.endpoint.status = [ABSENT], status

    with pytest.raises(Waking) as caught:
        backend.start(site.work())

    assert (caught.value.code, caught.value.retry_after) == ("starting", 30)


@each()
@pytest.mark.parametrize("status", [None, "Failed", "OutOfService", "Deleting"])
def test_an_endpoint_that_will_not_be_there_is_not_waited_for(
    site: Site, backend: SageMakerBackend, status: str | None
) -> None:
    site.endpoint.refusals, site.endpoint.status = [ABSENT], status

    with pytest.raises(HostRefusal) as caught:
        backend.start(site.work())

    assert caught.value.code == "no_endpoint"


ANSWERED = [
    (model_error(422, wire_error("invalid", transient=False)), PermanentError, "invalid"),
    (model_error(503, wire_error("busy", transient=True)), Busy, "busy"),
    (model_error(503, wire_error("loading", transient=True)), Waking, "loading"),
    (model_error(503, wire_error("unusable", transient=False)), HostRefusal, "unusable"),
    (model_error(502, wire_error("transfer_failed", transient=True)), TransientError, "transfer_failed"),
    (model_error(500, wire_error("failed", transient=False)), PermanentError, "failed"),
    (model_error(400, "<html>bad</html>"), PermanentError, "container_refused"),
    (model_error(429, ""), TransientError, "container_failed"),
    (model_error(500, "Traceback"), TransientError, "container_failed"),
    (model_error(0, "could not get a response from the endpoint"), TransientError, "container_failed"),
    (Refusal(424, "ModelError"), TransientError, "container_failed"),
]


@each("gpu", "serverless")
@pytest.mark.parametrize(("refusal", "kind", "code"), ANSWERED, ids=[each[2] for each in ANSWERED])
def test_what_the_container_itself_says_counts(
    site: Site, backend: SageMakerBackend, refusal: Refusal, kind: type[BackendError], code: str
) -> None:
    site.endpoint.refusals = [refusal]

    with pytest.raises(kind) as caught:
        backend.start(site.work())

    assert caught.value.code == code
    assert len(caught.value.detail) <= 300


@each("gpu", "serverless")
@pytest.mark.parametrize(
    "refusal", [Refusal(400, "ThrottlingException"), model_error(503, wire_error("busy", transient=True))]
)
def test_a_full_endpoint_is_left_alone_for_about_a_song(
    site: Site, backend: SageMakerBackend, refusal: Refusal
) -> None:
    site.endpoint.refusals = [refusal]

    with pytest.raises(TransientError) as caught:
        backend.start(site.work())

    assert caught.value.retry_after == 30


@pytest.mark.parametrize(
    ("site", "kind", "code"),
    [("serverless", Unfit, "too_slow"), ("gpu", TransientError, "container_failed")],
    indirect=["site"],
)
def test_a_song_that_a_minute_was_too_short_for_is_not_tried_there_again(
    site: Site, backend: SageMakerBackend, kind: type[BackendError], code: str
) -> None:
    said = "Your invocation timed out while waiting for a response from container primary."
    site.endpoint.refusals = [model_error(0, said)]

    with pytest.raises(kind) as caught:
        backend.start(site.work())

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("site", "usd"), [("serverless", 40 * 6 * 0.00002), ("gpu", None), ("async", None)], indirect=["site"]
)
def test_a_serverless_song_that_fails_as_it_is_played_costs_what_it_was_played_for(
    site: Site, backend: SageMakerBackend, usd: float | None
) -> None:
    site.endpoint.refusals = [model_error(502, "")]
    moments = (NOW + timedelta(seconds=each) for each in (0, 40))

    with pytest.raises(BackendError) as caught:
        replace(backend, clock=lambda: next(moments)).start(site.work())

    assert caught.value.cost_usd == (None if usd is None else pytest.approx(usd))


@each()
def test_no_refusal_tells_a_songs_owner_of_the_account(site: Site, backend: SageMakerBackend) -> None:
    secret = "arn:aws:iam::123456789012:role/conductor is not allowed"

    for refusal, _, _ in REFUSED:
        site.endpoint.refusals = [replace(refusal, message=secret)]
        with pytest.raises(BackendError) as caught:
            backend.start(site.work())
        assert "123456789012" not in caught.value.detail


@each()
def test_a_connection_that_breaks_is_worth_another_try_and_not_tried_behind_our_back(
    site: Site, backend: SageMakerBackend
) -> None:
    site.endpoint.refusals = [Refusal(0, hang_up=True)] * 5

    with pytest.raises(Lost) as caught:
        backend.start(site.work())

    assert caught.value.code == "unreachable"
    assert len(site.endpoint.heard) == 1


@each("gpu", "async")
def test_an_endpoint_that_keeps_silent_is_worth_another_try(site: Site) -> None:
    site.endpoint.refusals = [Refusal(500, silent=0.4)]

    impatient = site.endpoint.backend(site.time, patience=0.05)
    with closing(impatient.client), pytest.raises(Lost) as caught:
        impatient.start(site.work())

    assert caught.value.code == "unreachable"


@each("serverless")
def test_a_serverless_endpoint_that_is_still_loading_its_model_is_waited_for_by_asking(site: Site) -> None:
    site.endpoint.refusals = [Refusal(500, silent=0.4)]
    with closing((impatient := site.endpoint.backend(site.time, patience=0.05)).client):
        ticket = impatient.start(site.work())

        waiting = impatient.check(site.work(), ticket)
        site.time.pass_by(SILENT_SECONDS["serverless"] + 1)
        given_up = impatient.check(site.work(), ticket)

    assert isinstance(waiting, Running)
    assert isinstance(given_up, Failed)
    assert (given_up.code, given_up.transient) == ("lost", True)


@pytest.mark.parametrize("mode", MODES)
def test_where_nothing_listens_another_try_may_help(mode: HostingMode) -> None:
    site = Site(mode)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with site.endpoint, closing(client(url)) as nowhere, pytest.raises(TransientError) as caught:
        replace(site.endpoint.backend(site.time), client=nowhere).start(site.work())

    assert (type(caught.value), caught.value.code) == (TransientError, "unreachable")
