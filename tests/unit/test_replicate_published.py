"""Our client, and the Replicate that tests run against, held to the interface that Replicate publishes."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, get_args

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from lambdas.backends import replicate as client
from lambdas.core.errors import HostRefusal
from lambdas.core.ports import Failed, Finished, Input, Running
from tests.fakes.loopback import Answer
from tests.fakes.predictions import EDITIONS
from tests.fakes.published import DOCUMENT, FIELDS, INPUTS, operation, seconds, true, wrong
from tests.fakes.replicate import VERSION
from tests.unit.replicate_site import LINK, SONG, WORK, Site, a_site

STATUSES = FIELDS["status"]["enum"]
REQUIRED = DOCUMENT["components"]["schemas"]["schemas_prediction_response"]["required"]
ASKED: Mapping[str, Any] = {"version": VERSION, "input": {"prompt": "rain"}}


@pytest.fixture
def site() -> Iterator[Site]:
    with a_site() as running:
        yield running


def test_the_document_is_openapi() -> None:
    assert not list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors())


def test_a_prediction_is_as_published_in_every_status_there_is(site: Site) -> None:
    host, seen = site.backend, set[str]()
    finished, failed, canceled = (host.start(WORK) for _ in range(3))
    site.replicate.predictions[failed.id].error = "CUDA"
    site.replicate.boot = 1000
    aborted = replace(host, cancel_after=30).start(WORK)

    for pause in (0, 25, 100, 4000):
        site.time.pass_by(pause)
        if pause == 25:
            host.cancel(canceled)
        for ticket in (finished, failed, canceled, aborted):
            seen.add(str(true(site.replicate.told(ticket.id))["status"]))
            ask(site, ticket.id)

    assert seen == set(STATUSES)


def ask(site: Site, id: str) -> None:
    """By HTTP: what is not as published would not be answered at all."""
    answer = site.backend.http.request(
        "GET", f"{site.replicate.url}/v1/predictions/{id}", headers={"authorization": "Bearer r8_test"}
    )
    assert answer.status == 200
    true(answer.json())


@pytest.mark.parametrize("name", REQUIRED)
def test_a_prediction_that_lacks_what_must_be_said_is_noticed(site: Site, name: str) -> None:
    said = site.replicate.told(site.backend.start(WORK).id)

    with pytest.raises(AssertionError, match=name):
        true({key: value for key, value in said.items() if key != name})


@pytest.mark.parametrize(
    "more",
    [
        {"status": "queued"},
        {"started_at": None},
        {"created_at": "yesterday"},
        {"urls": {"get": "https://x"}},
        {"mood": "blue"},
        {"metrics": {"price": 1}},
    ],
    ids=str,
)
def test_a_prediction_that_says_anything_else_is_noticed(site: Site, more: dict[str, Any]) -> None:
    said = site.replicate.told(site.backend.start(WORK).id)

    with pytest.raises(AssertionError):
        true({**said, **more})


def test_the_client_knows_the_statuses_that_are_published() -> None:
    assert set(get_args(client._Prediction.model_fields["status"].annotation)) == set(STATUSES)


def least(site: Site, status: str) -> Running | Finished | Failed:
    """What the client makes of a prediction that says no more than it must."""
    ticket = site.backend.start(WORK)
    told = site.replicate.told(ticket.id)
    said = true({name: told[name] for name in REQUIRED} | {"status": status})
    site.replicate.answers = [Answer(body=json.dumps(said).encode())]
    return site.backend.check(WORK, ticket)


@pytest.mark.parametrize("status", [each for each in STATUSES if each != "aborted"])
def test_the_client_reads_the_least_that_a_prediction_may_say(site: Site, status: str) -> None:
    assert isinstance(least(site, status), Running if status in ("starting", "processing") else Failed)


def test_the_client_reads_the_least_that_an_aborted_prediction_may_say(site: Site) -> None:
    with pytest.raises(HostRefusal, match="No machine"):
        least(site, "aborted")


@pytest.mark.parametrize("role", [None, "melody", "continue"])
@pytest.mark.parametrize("webhook_url", [None, "https://cadenza.example/v1/callbacks/replicate"])
def test_what_the_client_asks_is_as_published(site: Site, role: Any, webhook_url: str | None) -> None:
    piece = SONG.but(
        model="musicgen-stereo-melody", temperature=0.9, top_k=100, top_p=0.5, guidance=3.7, duration=12.5
    )
    work = replace(WORK, piece=piece, inputs=(Input(role, LINK, 5.0),) if role else ())

    site.ended(work)
    ticket = replace(site.backend, webhook_url=webhook_url).start(work)
    site.backend.cancel(ticket)

    asked = list(site.replicate.paths)
    published = {"predictions.create", "predictions.get", "predictions.cancel"}
    assert {operation(*each) for each in asked} - {None} == published
    assert [path for method, path in asked if operation(method, path) is None] == [f"/files/{1:026d}/out.wav"]
    assert wrong(site.latest.asked, site.replicate.headers[-2]) is None


def test_every_input_of_the_models_editions_is_known_by_its_name(site: Site) -> None:
    assert set(INPUTS["properties"]["model_version"]["enum"]) == set(EDITIONS)
    assert isinstance(site.ended(), Finished)
    assert set(site.asked) <= set(INPUTS["properties"])


@pytest.mark.parametrize(
    ("more", "headers", "fault"),
    [
        ({"version": 1}, {}, "body.version"),
        ({"mood": "blue"}, {}, "body: "),
        ({"webhook": "http://cadenza.example"}, {}, "HTTPS"),
        ({"webhook_events_filter": ["end"]}, {}, "body.webhook_events_filter[0]"),
        ({"input": {"duration": "ten"}}, {}, "input.duration"),
        ({"input": {"duration": 10.5}}, {}, "input.duration"),
        ({"input": {"continuation": 1}}, {}, "input.continuation"),
        ({"input": {"top_p": None}}, {}, "input.top_p"),
        ({"input": {"model_version": "small"}}, {}, "input.model_version"),
        ({"input": {"lyrics": "la"}}, {}, "input: "),
        ({}, {"cancel-after": "4s"}, "Cancel-After"),
        ({}, {"cancel-after": "soon"}, "Cancel-After"),
        ({}, {"cancel-after": ""}, "Cancel-After"),
    ],
    ids=str,
)
def test_a_request_that_is_not_as_published_is_turned_down(
    site: Site, more: dict[str, Any], headers: dict[str, str], fault: str
) -> None:
    body = json.dumps({**ASKED, **more})

    answer = site.backend.http.request(
        "POST",
        f"{site.replicate.url}/v1/predictions",
        body=body,
        headers={"authorization": "Bearer r8_test", **headers},
    )

    assert answer.status == 422
    assert fault in answer.json()["detail"]
    assert not site.replicate.predictions


@pytest.mark.parametrize(
    ("said", "meant"), [("30", 30), ("90s", 90), ("5m", 300), ("2h30m", 9000), ("1h30m45s", 5445)]
)
def test_durations_are_read_as_the_document_says(said: str, meant: int) -> None:
    assert seconds(said) == meant
