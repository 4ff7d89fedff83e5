"""What a host's call does, and what nobody can make it do."""

import pytest

from lambdas.core.hinting import Hints
from tests.fakes.queues import MemoryQueue
from tests.fakes.stores import Time
from tests.unit.test_signing import BODY, HEADERS, OTHER, SECRET, THEN

JOB = "0b8c1f1e-9d7e-4a7c-8a53-8a3f3b1f6a11"


class Desk:
    def __init__(self, secrets: str = SECRET) -> None:
        self.time = Time(THEN)
        self.queue = MemoryQueue(self.time)
        self.hints = Hints(self.queue, lambda: secrets, self.time)

    @property
    def sent(self) -> list[str]:
        """The bodies of all messages sent so far."""
        bodies = []
        while letter := self.queue.receive():
            bodies.append(letter.body)
            self.queue.done(letter)
        return bodies


def test_a_genuine_call_makes_the_job_be_looked_at_now():
    desk = Desk()

    assert desk.hints.take(HEADERS, BODY, JOB)

    assert desk.sent == [f'{{"job_id":"{JOB}"}}']


def test_a_call_that_is_repeated_is_one_more_look_and_no_more():
    desk = Desk()

    assert desk.hints.take(HEADERS, BODY, JOB)
    assert desk.hints.take(HEADERS, BODY, JOB)

    assert set(desk.sent) == {f'{{"job_id":"{JOB}"}}'}


@pytest.mark.parametrize("job_id", ["", "a b", "x" * 101, '"}', "../1", "ü"])
def test_a_genuine_call_about_what_can_be_no_job_is_answered_the_same_and_does_nothing(job_id: str) -> None:
    desk = Desk()

    assert desk.hints.take(HEADERS, BODY, job_id)

    assert desk.sent == []


def test_anybody_elses_call_does_nothing():
    desk = Desk()

    assert not desk.hints.take(HEADERS, b"{}", JOB)
    assert not desk.hints.take({}, BODY, JOB)
    desk.time.pass_by(301)
    assert not desk.hints.take(HEADERS, BODY, JOB)

    assert desk.sent == []


@pytest.mark.parametrize("secrets", ["", " ", "\n", "not a secret", OTHER])
def test_while_the_right_secret_is_not_stored_every_call_is_turned_down(secrets: str) -> None:
    desk = Desk(secrets)

    assert not desk.hints.take(HEADERS, BODY, JOB)

    assert desk.sent == []


def test_both_secrets_count_while_one_replaces_the_other():
    assert Desk(f"{OTHER}\n{SECRET}\n").hints.take(HEADERS, BODY, JOB)
