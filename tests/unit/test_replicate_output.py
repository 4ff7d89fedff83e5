"""Audio that Replicate made, on its way to us: whose address, whether whole, whether audio at all."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import urllib3

from lambdas.backends import download
from lambdas.backends.replicate import ReplicateBackend
from lambdas.core.errors import BackendError, HostRefusal, TransientError
from lambdas.core.pieces import Ticket
from lambdas.core.ports import Failed, Finished, Running, Work
from tests.fakes.examples import NOW, PIECE
from tests.fakes.loopback import Answer
from tests.fakes.predictions import PACE
from tests.fakes.replicate import TOKEN, Put, Replicate, connect
from tests.fakes.stores import Time

WORK = Work("job-1-1", 1, PIECE.but(model="musicgen-large"), "https://bucket.example/raw", "", "")
TICKET = Ticket(id="0" * 26)
TOOK = 120  # seconds after which every prediction has ended


@pytest.fixture
def time() -> Time:
    return Time(NOW)


@pytest.fixture
def replicate(time: Time) -> Iterator[Replicate]:
    with Replicate(time) as running:
        yield running


@pytest.fixture
def backend(replicate: Replicate) -> Iterator[ReplicateBackend]:
    with urllib3.PoolManager() as http:
        yield connect(replicate, http)


def raised(act: Callable[[], object]) -> BackendError:
    with pytest.raises(BackendError) as caught:
        act()
    assert TOKEN not in str(caught.value)
    return caught.value


def finished(backend: ReplicateBackend, time: Time) -> Running | Finished | Failed:
    """What a check says of work that is done there."""
    ticket = backend.start(WORK)
    time.pass_by(TOOK)
    return backend.check(WORK, ticket)


@pytest.mark.parametrize(
    "url",
    [
        "http://replicate.delivery/out.wav",
        "https://replicate.delivery.example.com/out.wav",
        "https://notreplicate.delivery/out.wav",
        "https://replicate.delivery:8443/out.wav",
        "https://replicate.delivery@example.com/out.wav",
        "https://someone@replicate.delivery/out.wav",
        "https://example.com\\.replicate.delivery/out.wav",
        "https://example.com\\@replicate.delivery/out.wav",
        "https://exa mple.replicate.delivery/out.wav",
        "https://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:1/out.wav",
        "file:///etc/passwd",
        "data:audio/wav;base64,UklGRg==",
        "https://[::1",
        "",
    ],
)
def test_audio_is_fetched_from_nobody_else(
    replicate: Replicate, backend: ReplicateBackend, time: Time, url: str
) -> None:
    replicate.output = url

    error = raised(lambda: finished(backend, time))

    assert (type(error), error.code) == (HostRefusal, "output_elsewhere")
    assert replicate.seen["GET files"] == 0


@pytest.mark.parametrize(
    "url", ["https://replicate.delivery/pbxt/x/out.wav", "https://pbxt.replicate.delivery/x/out.wav"]
)
def test_audio_may_lie_where_the_api_says_that_outputs_lie(backend: ReplicateBackend, url: str) -> None:
    assert backend._serves(url)


def test_a_redirect_within_the_service_is_followed(
    replicate: Replicate, backend: ReplicateBackend, time: Time
) -> None:
    replicate.deliveries = [Answer(302, b"", {"Location": f"/files/{1:026d}/out.wav"})]

    assert isinstance(finished(backend, time), Finished)


@pytest.mark.parametrize(
    "location",
    [
        "https://example.com/out.wav",
        "http://127.0.0.1:1/",
        "//example.com/",
        "//example.com\\.replicate.delivery/",
        "//example.com\\@replicate.delivery/",
    ],
)
def test_a_redirect_out_of_the_service_is_not(
    replicate: Replicate, backend: ReplicateBackend, time: Time, location: str
) -> None:
    replicate.deliveries = [Answer(302, b"", {"Location": location})]

    error = raised(lambda: finished(backend, time))

    assert (type(error), error.code) == (HostRefusal, "output_elsewhere")


def test_redirects_come_to_an_end(replicate: Replicate, backend: ReplicateBackend, time: Time) -> None:
    replicate.deliveries = [Answer(302, b"", {"Location": "/files/again"})] * 10

    assert isinstance(raised(lambda: finished(backend, time)), HostRefusal)
    assert replicate.seen["GET files"] == download.HOPS + 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500),
        Answer(403),
        Answer(302),
        Answer(hang_up=True),
        Answer(200, b"RIFF\x24\x10\x00\x00WAVE" + b"x" * 20, {"Content-Length": "4140"}),
        Answer(200, b"RIFF\x24\x10\x00\x00WAVE" + b"x" * 20),
        Answer(200, b"nothing", {"Transfer-Encoding": "chunked"}),
    ],
)
def test_audio_that_does_not_arrive_whole_is_fetched_again_later(
    replicate: Replicate, backend: ReplicateBackend, time: Time, answer: Answer
) -> None:
    ticket = backend.start(WORK)
    time.pass_by(TOOK)
    replicate.deliveries = [answer]

    assert isinstance(raised(lambda: backend.check(WORK, ticket)), TransientError)
    assert isinstance(backend.check(WORK, ticket), Finished)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(200, b"<html>sorry</html>"), "output_not_audio"),
        (Answer(200, b"ID3\x04 an MP3"), "output_not_audio"),
        (Answer(200, b""), "output_not_audio"),
        (Answer(200, b"RIFF", {"Content-Length": "999999999999"}), "output_too_large"),
        (Answer(200, b"x" * 1000, drip=20), "output_too_large"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_song_is_not_stored(
    replicate: Replicate, backend: ReplicateBackend, time: Time, answer: Answer, code: str
) -> None:
    replicate.deliveries = [answer]
    stored: list[bytes] = []

    error = raised(
        lambda: finished(replace(backend, most=10_000, put=lambda url, wav: stored.append(wav)), time)
    )

    assert (type(error), error.code) == (HostRefusal, code)
    assert stored == []


def test_audio_that_drips_is_hung_up_on(replicate: Replicate, backend: ReplicateBackend) -> None:
    replicate.deliveries = [Answer(200, b"RIFF" + b"x" * 100, drip=3)]
    url = f"{replicate.url}/files/1/out.wav"

    with pytest.raises(TransientError) as caught:
        download.Download(backend.http, lambda url: True, patience=-1).wav(url, {})

    assert caught.value.code == "output_slow"


def test_a_wav_whose_writer_did_not_know_its_length_is_taken(
    replicate: Replicate, backend: ReplicateBackend, time: Time
) -> None:
    replicate.deliveries = [Answer(200, b"RIFF\xff\xff\xff\xffWAVE" + b"x" * 20)]

    assert isinstance(finished(backend, time), Finished)


def test_no_output_is_audio_that_is_gone(replicate: Replicate, backend: ReplicateBackend) -> None:
    for output in ("null", "[]", "{}", "[null]", "7"):
        body = f'{{"id": "x", "status": "succeeded", "output": {output}}}'.encode()
        replicate.answers = [Answer(200, body)]
        state = backend.check(WORK, TICKET)
        assert isinstance(state, Failed)
        assert state.code == "output_gone"


def test_what_a_prediction_without_metrics_costs_is_not_known(
    replicate: Replicate, backend: ReplicateBackend, time: Time
) -> None:
    ticket = backend.start(WORK)
    time.pass_by(TOOK)
    told = {**replicate.told(ticket.id), "metrics": None}
    replicate.answers = [Answer(200, json.dumps(told).encode())]

    state = backend.check(WORK, ticket)

    assert isinstance(state, Finished)
    assert state.cost_usd is None


@pytest.mark.parametrize(
    ("output", "put"),
    [("https://example.com/out.wav", lambda url, wav: None), (None, lambda url, wav: _refuse())],
)
def test_what_was_made_and_could_not_be_had_cost_what_it_did(
    replicate: Replicate, backend: ReplicateBackend, time: Time, output: str | None, put: Put
) -> None:
    replicate.output = output

    error = raised(lambda: finished(replace(backend, put=put), time))

    assert error.cost_usd == pytest.approx(PACE * WORK.piece.duration * 0.0014)


def _refuse() -> None:
    raise TransientError("upload_refused", "The store refused the audio.")
