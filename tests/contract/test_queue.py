"""The contract of ports.Queue and ports.DeadLetters."""

import time

from lambdas.core.ports import Message
from tests.contract.adapters import Adapters
from tests.fakes.examples import NOW

PATIENCE = 100  # looks, a tenth of a second apart


def delivered(adapters: Adapters, count: int) -> list[str]:
    """The bodies of so many messages, however late they come."""
    bodies: list[str] = []
    for _ in range(PATIENCE):
        bodies += adapters.receive()
        if len(bodies) >= count:
            break
        adapters.time.pass_by(0.1)
        time.sleep(0.1)
    return bodies


def test_a_message_arrives_as_it_was_sent(adapters: Adapters) -> None:
    message = Message(job_id="job-1", attempt=3, not_before=NOW)

    adapters.queue.send(message)

    (body,) = delivered(adapters, 1)
    assert Message.model_validate_json(body) == message


def test_a_message_that_is_to_come_later_is_not_there_yet(adapters: Adapters) -> None:
    adapters.queue.send(Message(job_id="job-1"), delay=0.2)  # whole seconds: a part of one is one

    assert adapters.receive() == []
    assert delivered(adapters, 1) == ['{"job_id":"job-1"}']


def test_a_delay_beyond_what_a_queue_can_keep_is_cut_and_not_refused(adapters: Adapters) -> None:
    adapters.queue.send(Message(job_id="job-1"), delay=1e6)
    adapters.queue.send(Message(job_id="job-2"), delay=-5)

    assert delivered(adapters, 1) == ['{"job_id":"job-2"}']


def test_any_number_of_messages_goes_at_once(adapters: Adapters) -> None:
    messages = [Message(job_id=f"job-{nth}") for nth in range(23)]

    adapters.queue.send_all(messages)
    adapters.queue.send_all([])

    assert sorted(delivered(adapters, 23)) == sorted(message.encode() for message in messages)


def test_dead_letters_are_read_and_stay(adapters: Adapters) -> None:
    bodies = [f"letter {nth} ü" for nth in range(12)]
    for body in bodies:
        adapters.bury(body)

    assert sorted(adapters.dead.read()) == sorted(bodies)


def test_there_may_be_no_dead_letters(adapters: Adapters) -> None:
    assert list(adapters.dead.read()) == []
