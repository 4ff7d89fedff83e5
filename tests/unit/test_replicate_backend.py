"""MusicGen on Replicate, against a server that follows its API: what becomes of a work, and its price."""

import io
import wave
from collections.abc import Iterator
from dataclasses import replace

import pytest

from lambdas.core.errors import HostRefusal
from lambdas.core.pieces import Ticket
from lambdas.core.ports import Failed, Finished, Running
from tests.unit.replicate_site import LINK, WORK, Site, a_site


@pytest.fixture
def site() -> Iterator[Site]:
    with a_site() as running:
        yield running


def test_a_prediction_has_a_deadline_and_ends_are_heard_of(site: Site) -> None:
    backend = replace(
        site.backend, cancel_after=600, webhook_url="https://api.example/v1/callbacks/replicate"
    )

    ticket = backend.start(WORK)

    assert site.replicate.headers[0]["cancel-after"] == "600s"
    assert site.latest.asked["webhook"] == "https://api.example/v1/callbacks/replicate?job=job-1"
    assert site.latest.asked["webhook_events_filter"] == ["completed"]
    assert ticket.check_after > site.backend.start(WORK).check_after


def test_a_prediction_is_followed_to_its_end_and_its_audio_copied(site: Site) -> None:
    ticket = site.backend.start(WORK)

    waiting = site.backend.check(WORK, ticket)
    site.time.pass_by(20 + 7.5)
    playing = site.backend.check(WORK, ticket)
    site.time.pass_by(7.5)
    done = site.backend.check(WORK, ticket)

    assert waiting == Running(0.0, "Waiting for a machine at Replicate", 3.0)
    assert isinstance(playing, Running)
    assert playing.progress == pytest.approx(0.5, abs=0.01)
    assert done == Finished(0.021, "meta/musicgen@671ac645 stereo-large")
    with wave.open(io.BytesIO(site.stored[WORK.output_url])) as audio:
        assert (audio.getnchannels(), audio.getframerate()) == (2, 32_000)
        assert audio.getnframes() == 10 * 32_000


@pytest.mark.parametrize(
    ("hardware", "usd"), [("t4", 0.003375), ("l40s", 0.014625), ("a100-80gb", 0.021), ("h100", 0.022875)]
)
def test_its_cost_is_the_computing_at_the_hardwares_price_and_not_the_waiting(
    site: Site, hardware: str, usd: float
) -> None:
    site.backend = replace(site.backend, hardware=hardware)

    state = site.ended(after=1000)

    assert isinstance(state, Finished)
    assert state.cost_usd == pytest.approx(usd)


def test_addresses_of_this_moment_are_used(site: Site) -> None:
    ticket = site.backend.start(WORK)
    site.time.pass_by(120)

    site.backend.check(replace(WORK, output_url="https://bucket.example/raw?signature=fresh"), ticket)

    assert list(site.stored) == ["https://bucket.example/raw?signature=fresh"]


@pytest.mark.parametrize("moment", [0, 19.9, 20, 27.5, 34.9, 35, 1000, 4000])
def test_canceling_is_fine_at_any_moment(site: Site, moment: float) -> None:
    ticket = site.backend.start(WORK)
    site.time.pass_by(moment)

    told = [site.backend.cancel(ticket), site.backend.cancel(ticket)]

    assert told == [pytest.approx(min(max(0.0, moment - 20), 15) * 0.0014)] * 2

    state = site.backend.check(WORK, ticket)
    if moment < 35:
        assert isinstance(state, Failed)
        assert (state.code, state.transient, state.elsewhere) == ("canceled", True, False)
        assert state.cost_usd == pytest.approx(max(0.0, moment - 20) * 0.0014)
    else:
        assert isinstance(state, Finished) == (moment < 3600)


def test_who_found_no_machine_in_time_is_sent_on(site: Site) -> None:
    site.backend = replace(site.backend, cancel_after=10)

    with pytest.raises(HostRefusal) as caught:
        site.ended()

    assert caught.value.code == "no_machine"


def test_who_ran_out_of_time_may_try_again(site: Site) -> None:
    site.backend = replace(site.backend, cancel_after=30)

    state = site.ended()

    assert isinstance(state, Failed)
    assert (state.code, state.transient, state.elsewhere) == ("canceled", True, False)


@pytest.mark.parametrize(
    ("error", "elsewhere"),
    [
        ("Prompt is longer than audio to generate", True),
        ("ValueError", True),
        ("Prediction interrupted; please retry (code: PA)", False),
        ("CUDA out of memory. Tried to allocate 2.00 GiB", False),
        ("Model did not start in time (E1002)", False),
    ],
)
def test_what_failed_by_itself_is_tried_elsewhere_and_what_the_machine_broke_again(
    site: Site, error: str, elsewhere: bool
) -> None:
    ticket = site.backend.start(WORK)
    site.latest.error = error
    site.time.pass_by(120)

    state = site.backend.check(WORK, ticket)

    assert state == Failed("failed", error, transient=True, elsewhere=elsewhere, cost_usd=0.0)


def test_a_failures_words_are_passed_on_without_addresses_and_tokens(site: Site) -> None:
    ticket = site.backend.start(WORK)
    site.latest.error = f"cannot open {LINK} with r8_test" + "!" * 1000
    site.time.pass_by(120)

    state = site.backend.check(WORK, ticket)

    assert isinstance(state, Failed)
    assert state.detail.startswith("cannot open … with …!")
    assert len(state.detail) == 300


def test_audio_that_is_gone_is_made_again(site: Site) -> None:
    state = site.ended(after=4000)

    gone = "Replicate no longer has the audio."
    assert state == Failed("output_gone", gone, transient=True, cost_usd=0.021)


def test_work_that_nobody_knows_is_made_again(site: Site) -> None:
    state = site.backend.check(WORK, Ticket(id="../accounts?x=1#y"))

    assert state == Failed("unknown_work", "Replicate does not know this prediction.", transient=True)


def test_an_output_in_a_list_is_its_first(site: Site) -> None:
    ticket = site.backend.start(WORK)
    site.time.pass_by(120)
    site.replicate.output = [f"{site.replicate.url}/files/{ticket.id}/out.wav"]

    assert isinstance(site.backend.check(WORK, ticket), Finished)
