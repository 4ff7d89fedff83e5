"""The contract of ports.Backend. A host of a model joins by one line in hosts.HOSTS."""

import io
import wave
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from lambdas.core.errors import StoreFault, TransientError
from lambdas.core.pieces import Ticket
from lambdas.core.ports import Backend, Failed, Finished, Running, Work
from tests.contract.hosts import HOSTS, SCRIPTED, SECONDS, Host, Studio
from tests.fakes.examples import NOW, PIECE, a_work
from tests.fakes.stores import MemoryObjects, Time

KEY = "raw/job-1/1"
CHECKS = 1000  # after which a host is never going to be done
NOBODYS = Ticket(id="nobody's")


@dataclass
class Site:
    """A host, and the bucket that it uploads to."""

    rules: Host
    host: Backend
    studio: Studio
    time: Time
    objects: MemoryObjects

    def work(self, prompt: str = "folk music: rain", attempt: int = 1) -> Work:
        piece = PIECE.but(model="musicgen-small", effective_prompt=prompt, duration=SECONDS)
        return a_work(self.objects, attempt, piece)

    def end(self, ticket: Ticket, work: Work | None = None) -> Finished | Failed:
        """What becomes of the work, asked as often as the host wants to be."""
        state = self.until(ticket, lambda _: False, work)
        assert not isinstance(state, Running)
        return state

    def playing(self, ticket: Ticket) -> None:
        """Wait until the host says that it makes the song."""
        state = self.until(ticket, lambda running: running.progress > 0)
        assert isinstance(state, Running)

    def until(
        self, ticket: Ticket, enough: Callable[[Running], bool], work: Work | None = None
    ) -> Running | Finished | Failed:
        self.time.pass_by(ticket.check_after)
        seen = 0.0
        for _ in range(CHECKS):
            state = self.host.check(work or self.work(), ticket)
            if not isinstance(state, Running) or enough(state):
                return state
            assert 0 <= seen <= state.progress <= 1
            assert state.check_after > 0
            seen = state.progress
            self.time.pass_by(state.check_after)
        raise AssertionError("never done")


def a_site(rules: Host, refused: bool = False) -> Site:
    """refused: whether its bucket takes no file."""
    time = Time(NOW)
    objects = MemoryObjects(time)

    def put(link: str, audio: bytes) -> None:
        if refused or not objects.send(link, audio):
            raise StoreFault("upload_refused", "The link is dead.")

    return Site(rules, *rules.serve(put, time), time, objects)


def of(hosts: Mapping[str, Host]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("site", hosts.values(), ids=hosts.keys(), indirect=True)


@pytest.fixture
def site(request: pytest.FixtureRequest) -> Site:
    return a_site(request.param)


SLOW = {name: host for name, host in HOSTS.items() if not host.at_once}
BOTH = {**HOSTS, **SCRIPTED}


@of(BOTH)
def test_work_ends_with_audio_of_the_length_asked_at_its_address(site: Site) -> None:
    ticket = site.host.start(site.work())

    assert isinstance(site.end(ticket), Finished)
    with wave.open(io.BytesIO(site.objects.files[KEY])) as audio:
        assert audio.getnframes() == round(SECONDS * audio.getframerate())


@of(BOTH)
def test_a_ticket_survives_being_written_down(site: Site) -> None:
    ticket = site.host.start(site.work())

    assert isinstance(site.end(Ticket.model_validate_json(ticket.model_dump_json())), Finished)


@of(BOTH)
def test_finished_work_stays_finished(site: Site) -> None:
    ticket = site.host.start(site.work())

    first = site.end(ticket)
    site.time.pass_by(1800)  # some hosts forget after an hour

    assert site.host.check(site.work(), ticket) == first


@of(BOTH)
def test_work_sent_twice_is_one_song_where_the_host_can_tell_and_else_two_alike(site: Site) -> None:
    tickets = [site.host.start(site.work()) for _ in range(2)]

    assert site.studio.begun == (1 if site.rules.once else 2)
    heard = []
    for ticket in tickets:
        assert isinstance(site.end(ticket), Finished)
        heard.append(site.objects.files[KEY])
    assert heard[0] == heard[1]
    assert site.studio.begun == (1 if site.rules.once else 2)


@of(BOTH)
def test_each_attempt_has_its_own_song_and_address(site: Site) -> None:
    for attempt in (1, 2):
        work = site.work(attempt=attempt)
        assert isinstance(site.end(site.host.start(work), work), Finished)

    assert site.studio.begun == 2
    assert {KEY, "raw/job-1/2"} <= set(site.objects.files)


@of(SLOW)
@pytest.mark.parametrize("playing", [False, True], ids=["before it begins", "while it plays"])
def test_a_canceled_song_is_made_no_further_where_the_host_can_stop(site: Site, playing: bool) -> None:
    ticket = site.host.start(site.work())
    if playing:
        site.playing(ticket)
    assert site.studio.working == 1

    site.host.cancel(ticket)

    assert site.studio.working == (0 if site.rules.stops else 1)
    state = site.end(ticket)
    assert site.studio.working == 0
    assert (KEY in site.objects.files) is not site.rules.stops
    if site.rules.stops:
        assert isinstance(state, Failed)
        assert (state.code, state.transient) == ("canceled", True)
    else:
        assert isinstance(state, Finished)


@of(BOTH)
def test_canceling_what_has_ended_changes_nothing_of_it(site: Site) -> None:
    ticket = site.host.start(site.work())
    first, audio = site.end(ticket), site.objects.files[KEY]

    for _ in range(2):
        site.host.cancel(ticket)

    assert site.host.check(site.work(), ticket) == first
    assert site.objects.files[KEY] == audio
    assert (site.studio.begun, site.studio.working) == (1, 0)


@of(BOTH)
def test_canceling_what_the_host_does_not_know_stops_nobodys_song(site: Site) -> None:
    ticket = site.host.start(site.work())
    working = site.studio.working

    site.host.cancel(NOBODYS)

    assert site.studio.working == working
    assert isinstance(site.end(ticket), Finished)


@of(SLOW)
def test_canceling_what_the_host_has_forgotten_is_fine(site: Site) -> None:
    ticket = site.host.start(site.work())
    site.studio.forget()

    site.host.cancel(ticket)

    assert site.studio.begun == 0


@of(HOSTS)
def test_a_ticket_that_was_never_the_hosts_is_unknown_work_and_worth_another_attempt(site: Site) -> None:
    state = site.host.check(site.work(), NOBODYS)

    assert isinstance(state, Failed)
    assert (state.code, state.transient) == ("unknown_work", True)
    assert site.studio.begun == 0


@of(SLOW)
def test_work_that_the_host_has_forgotten_is_worth_another_attempt(site: Site) -> None:
    ticket = site.host.start(site.work())
    site.studio.forget()

    state = site.end(ticket)

    assert isinstance(state, Failed)
    assert (state.code, state.transient) == (site.rules.forgotten, True)


@pytest.mark.parametrize("rules", HOSTS.values(), ids=HOSTS)
def test_an_address_that_takes_no_audio_is_worth_another_try(rules: Host) -> None:
    site = a_site(rules, refused=True)

    try:
        state = site.end(site.host.start(site.work()))
    except TransientError:
        return
    assert isinstance(state, Failed)
    assert state.transient
