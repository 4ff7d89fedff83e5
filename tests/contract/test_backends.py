"""The contract of ports.Backend. A host of a model joins by one line in HOSTS."""

import io
import wave
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from lambdas.backends.mock import MockBackend, music, silence
from lambdas.core.errors import BackendError, TransientError
from lambdas.core.pieces import Ticket
from lambdas.core.ports import Backend, Failed, Finished, Running, Work
from tests.fakes import acestep, container, replicate, sagemaker
from tests.fakes.examples import NOW, PIECE, a_work
from tests.fakes.hosts import MemoryHost
from tests.fakes.stores import MemoryObjects, Time

SECONDS = 2.0
KEY = "raw/job-1/1"
CHECKS = 1000  # after which a host is never going to be done

Put = Callable[[str, bytes], None]
HOSTS: dict[str, Callable[[Put, Time], Backend]] = {
    "mock, music": lambda put, clock: MockBackend(music, put, clock),
    "mock, silence": lambda put, clock: MockBackend(silence, put, clock),
    "acestep": acestep.serving,
    "container": lambda put, clock: container.serving(put),
    "replicate": replicate.serving,
    "sagemaker, async": sagemaker.serving("async"),
    "sagemaker, gpu": sagemaker.serving("gpu"),
    "sagemaker, serverless": sagemaker.serving("serverless"),
    "memory": lambda put, clock: MemoryHost(put, audio=silence(PIECE.but(duration=SECONDS))),
}


@dataclass
class Site:
    """A host, and the bucket that it uploads to."""

    host: Backend
    time: Time
    objects: MemoryObjects

    def work(self, prompt: str = "folk music: rain", attempt: int = 1) -> Work:
        piece = PIECE.but(model="musicgen-small", effective_prompt=prompt, duration=SECONDS)
        return a_work(self.objects, attempt, piece)

    def end(self, ticket: Ticket, work: Work | None = None) -> Finished | Failed:
        """What becomes of the work, asked as often as the host wants to be."""
        self.time.pass_by(ticket.check_after)
        seen = 0.0
        for _ in range(CHECKS):
            state = self.host.check(work or self.work(), ticket)
            if not isinstance(state, Running):
                return state
            assert 0 <= seen <= state.progress <= 1
            assert state.check_after > 0
            seen = state.progress
            self.time.pass_by(state.check_after)
        raise AssertionError("never done")


@pytest.fixture(params=HOSTS)
def site(request: pytest.FixtureRequest) -> Site:
    time = Time(NOW)
    objects = MemoryObjects(time)

    def put(link: str, audio: bytes) -> None:
        if not objects.send(link, audio):
            raise TransientError("upload_refused", "The link is dead.")

    return Site(HOSTS[request.param](put, time), time, objects)


def test_work_ends_with_audio_of_the_length_asked_at_its_address(site: Site) -> None:
    ticket = site.host.start(site.work())

    assert isinstance(site.end(ticket), Finished)
    with wave.open(io.BytesIO(site.objects.files[KEY])) as audio:
        assert audio.getnframes() == round(SECONDS * audio.getframerate())


def test_a_ticket_survives_being_written_down(site: Site) -> None:
    ticket = site.host.start(site.work())

    assert isinstance(site.end(Ticket.model_validate_json(ticket.model_dump_json())), Finished)


def test_finished_work_stays_finished(site: Site) -> None:
    ticket = site.host.start(site.work())

    first = site.end(ticket)
    site.time.pass_by(1800)  # some hosts forget after an hour

    assert site.host.check(site.work(), ticket) == first


def test_the_same_work_twice_ends_with_the_same_audio(site: Site) -> None:
    site.end(site.host.start(site.work()))
    first = site.objects.files[KEY]

    site.end(site.host.start(site.work()))

    assert site.objects.files[KEY] == first


def test_each_attempt_has_its_own_address(site: Site) -> None:
    for attempt in (1, 2):
        work = site.work(attempt=attempt)
        site.end(site.host.start(work), work)

    assert set(site.objects.files) == {KEY, "raw/job-1/2"}


def test_canceling_is_fine_while_it_works_when_it_is_done_and_again(site: Site) -> None:
    ticket = site.host.start(site.work())

    site.host.cancel(ticket)
    site.end(ticket)
    site.host.cancel(ticket)


def test_canceling_what_the_host_does_not_know_is_fine(site: Site) -> None:
    site.host.cancel(Ticket(id="nobody's"))


@pytest.mark.parametrize("name", [name for name in HOSTS if name != "memory"])
def test_a_ticket_that_the_host_does_not_know_is_a_failure_and_no_accident(name: str) -> None:
    host = HOSTS[name](lambda link, audio: None, Time(NOW))

    try:
        work = a_work(MemoryObjects(Time(NOW)), 1, PIECE)
        state = host.check(work, Ticket(id="nobody's"))
    except BackendError:
        return
    assert isinstance(state, Failed)


@pytest.mark.parametrize("name", [name for name in HOSTS if name != "memory"])
def test_an_address_that_takes_no_audio_is_worth_another_try(name: str) -> None:
    def refuse(link: str, audio: bytes) -> None:
        raise TransientError("upload_refused", "The link is dead.")

    time = Time(NOW)
    site = Site(HOSTS[name](refuse, time), time, MemoryObjects(time))

    try:
        state = site.end(site.host.start(site.work()))
    except TransientError:
        return
    assert isinstance(state, Failed)
    assert state.transient
