"""Outgoing webhooks: signed as the specification's own example is, tried as its schedule says."""

import json
from base64 import b64decode
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

import pytest

from lambdas.core.announcing import SCHEDULE, Announcer
from lambdas.core.errors import PermanentError, TransientError
from lambdas.core.jobs import Job, Status
from lambdas.core.ports import Message
from lambdas.core.signing import sign
from lambdas.core.views import Reader
from tests.fakes.examples import HOOK, NOW, a_finished_job, a_job
from tests.fakes.hosts import MemoryCourier
from tests.fakes.queues import MemoryQueue
from tests.fakes.stores import MemoryJobs, MemoryObjects, Time

DONE = a_finished_job(webhook=HOOK)
UNREACHABLE = TransientError("unreachable", "Nobody answers.")
PRIVATE = PermanentError("private_address", "Not there.")


class Post:
    def __init__(self, job: Job = DONE, answers: Sequence[int | Exception] = (200,)) -> None:
        self.time, self.jobs, self.courier = Time(NOW), MemoryJobs(), MemoryCourier(answers)
        self.deliveries = MemoryQueue(self.time)
        self.jobs.insert(job)
        self.announcer = Announcer(
            jobs=self.jobs,
            deliveries=self.deliveries,
            courier=self.courier,
            reader=Reader(MemoryObjects(self.time), "bucket", timedelta(hours=1)),
            secret=lambda: b"secret",
            clock=self.time,
            spread=lambda: 0.0,
        )

    def run(self) -> list[float]:
        """Deliver until nothing is left. When each post was sent, in seconds from the start."""
        self.deliveries.send(Message(job_id="job-1"))
        moments: list[float] = []
        while self.deliveries.next_at is not None:
            self.time.now = max(self.time.now, self.deliveries.next_at)
            letter = self.deliveries.receive()
            assert letter is not None
            before = len(self.courier.posts)
            self.announcer.deliver(Message.model_validate_json(letter.body))
            self.deliveries.done(letter)
            if len(self.courier.posts) > before:
                moments.append((self.time.now - NOW).total_seconds())
        return moments


def test_a_signature_is_the_specifications_own():
    # The reference example of Standard Webhooks, in its libraries' tests.
    secret = b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    signature = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_finished_job_is_announced_once_with_what_a_reader_would_see():
    post = Post()

    assert post.run() == [0.0]

    ((url, body, headers),) = post.courier.posts
    told = json.loads(body)
    assert url == HOOK.url
    assert (told["type"], told["timestamp"]) == ("job.completed", "2030-01-01T12:00:00.000Z")
    assert told["data"]["job_id"] == "job-1"
    assert told["data"]["audio_url"]
    assert told["data"]["urls"]["self"] == "https://cadenza.example/v1/jobs/job-1"
    assert headers["webhook-id"] == "msg_job-1"
    assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert headers["webhook-signature"] == sign(b"secret", "msg_job-1", int(NOW.timestamp()), body)


def test_a_failed_job_is_announced_as_failed_with_its_reason():
    post = Post(a_job(webhook=HOOK).failed("refused", "Not this prompt.", NOW))

    post.run()

    told = json.loads(post.courier.posts[0][1])
    assert told["type"] == "job.failed"
    assert told["data"]["error"]["code"] == "refused"


@pytest.mark.parametrize(
    "job",
    [
        DONE.but(webhook=None),
        DONE.but(deleted=True),
        a_job(webhook=HOOK),
        a_job(webhook=HOOK).begun("first", NOW),
        a_job(webhook=HOOK).canceled(NOW),
        DONE.but(job_id="another"),
    ],
    ids=["no webhook", "deleted", "queued", "processing", "canceled", "unknown"],
)
def test_there_is_nothing_to_announce_of_other_jobs(job):
    assert Post(job).run() == []


@pytest.mark.parametrize("status", [200, 204, 299, 410])
def test_a_receiver_that_took_it_or_is_gone_is_not_asked_again(status):
    assert len(Post(answers=(status,)).run()) == 1


@pytest.mark.parametrize("answer", [301, 400, 404, 429, 500, 503, UNREACHABLE])
def test_a_receiver_that_did_not_take_it_is_asked_again_on_schedule_and_then_no_more(answer):
    moments = Post(answers=(answer,)).run()

    pauses = [later - earlier for earlier, later in pairwise(moments)]
    assert pauses == [float(pause) for pause in SCHEDULE[1:]]


def test_the_schedule_is_the_specifications():
    minute, hour = 60, 3600
    hours = [hour * nth for nth in (2, 5, 10, 14, 20, 24)]
    assert list(SCHEDULE) == [0, 5, 5 * minute, 30 * minute, *hours]


def test_tries_spread_so_that_receivers_are_not_hit_at_once():
    post = Post(answers=(500, 200))
    post.announcer = Announcer(**{**vars(post.announcer), "spread": lambda: 1.0})

    assert post.run() == [0.0, 6.0]  # five seconds and a tenth more, in whole seconds


def test_every_try_has_the_same_id_and_its_own_signature():
    post = Post(answers=(500, 500, 200))

    post.run()

    headers = [headers for _, _, headers in post.courier.posts]
    assert {each["webhook-id"] for each in headers} == {"msg_job-1"}
    assert len({each["webhook-signature"] for each in headers}) == 3


def test_an_address_that_must_not_be_called_is_not_tried_again():
    assert len(Post(answers=(PRIVATE,)).run()) == 1


def test_a_message_that_comes_early_waits_for_its_time():
    post = Post()

    status = post.announcer.deliver(Message(job_id="job-1", attempt=5, not_before=NOW + timedelta(hours=5)))

    assert status is None
    assert post.courier.posts == []
    (letter,) = post.deliveries.letters
    assert letter.visible_at == NOW + timedelta(minutes=15)
    assert Message.model_validate_json(letter.body).attempt == 5


def test_a_job_deleted_between_two_tries_is_not_spoken_of_again():
    post = Post(answers=(500,))
    post.announcer.deliver(Message(job_id="job-1"))

    post.jobs.replace(DONE.erased(NOW))

    assert post.run() == []
    assert post.jobs.rows[0].status is Status.COMPLETED
