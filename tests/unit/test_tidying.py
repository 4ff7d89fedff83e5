"""The janitor's round: who is reminded, who is ended, who is left alone."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from lambdas.core.jobs import GRACE, Job, Status
from lambdas.core.pieces import Lease
from lambdas.core.ports import Message
from lambdas.core.tidying import AT_ONCE, PATIENCE, Janitor, Round
from tests.fakes.examples import NOW, a_finished_job, a_job
from tests.fakes.queues import MemoryDeadLetters, MemoryQueue
from tests.fakes.stores import MemoryJobs, Time

LATE = GRACE + timedelta(seconds=1)
HOPELESS = timedelta(hours=1) + PATIENCE


class TornJobs(MemoryJobs):
    """A table with one row that nobody can read."""

    def get(self, job_id: str) -> Job | None:
        if job_id == "torn":
            raise ValueError("This is not a job.")
        return super().get(job_id)


class House:
    def __init__(self, *jobs: Job, letters: Sequence[str] = ()) -> None:
        self.time, self.jobs = Time(NOW), TornJobs()
        self.queue = MemoryQueue(self.time)
        for job in jobs:
            self.jobs.insert(job)
        self.janitor = Janitor(
            self.jobs, self.jobs, self.queue, MemoryDeadLetters(list(letters)), clock=self.time
        )

    def after(self, time: timedelta) -> Round:
        self.time.now = NOW + time
        return self.janitor.tidy()

    @property
    def reminded(self) -> list[str]:
        return [Message.model_validate_json(letter.body).job_id for letter in self.queue.letters]


def test_a_job_that_nobody_spoke_of_for_a_minute_is_reminded():
    house = House(a_job("late"), a_job("waiting", due_at=NOW + 2 * LATE), a_finished_job("done"))

    assert house.after(LATE) == Round(reminded=1, ended=0, buried=0)
    assert house.reminded == ["late"]


def test_a_job_that_is_on_time_is_left_alone():
    house = House(a_job())

    assert house.after(GRACE) == Round(reminded=0, ended=0, buried=0)


def test_a_job_long_past_its_deadline_is_ended():
    house = House(a_job(webhook=None))

    assert house.after(HOPELESS) == Round(reminded=1, ended=1, buried=0)
    (job,) = house.jobs.rows
    assert job.status is Status.FAILED
    assert job.fault is not None
    assert job.fault.code == "deadline_exceeded"
    assert job.due_at is not None


def test_a_job_just_past_its_deadline_is_the_conductors_to_end():
    house = House(a_job())

    assert house.after(HOPELESS - timedelta(seconds=1)) == Round(reminded=1, ended=0, buried=0)


def test_a_job_that_somebody_works_on_is_not_ended():
    lease = Lease(holder="worker", until=NOW + HOPELESS + timedelta(seconds=9))
    house = House(a_job(lease=lease))

    assert house.after(HOPELESS) == Round(reminded=1, ended=0, buried=0)


def test_the_job_of_a_dead_letter_fails_once():
    house = House(a_job("dead"), a_job("alive"), letters=[Message(job_id="dead").encode()] * 2)

    assert house.after(timedelta(0)).buried == 1
    assert house.after(timedelta(minutes=1)).buried == 0
    assert {job.job_id: job.status for job in house.jobs.rows} == {
        "dead": Status.FAILED,
        "alive": Status.QUEUED,
    }


def test_a_dead_letter_changes_nothing_about_a_job_that_has_ended():
    done = a_finished_job()
    house = House(done, letters=[Message(job_id=done.job_id).encode()])

    assert house.after(timedelta(0)) == Round(reminded=0, ended=0, buried=0)
    assert house.jobs.rows == [done]


@pytest.mark.parametrize("letter", ["", "{", "null", '{"job_id": []}', Message(job_id="unknown").encode()])
def test_a_dead_letter_that_means_nothing_is_passed_over(letter):
    house = House(a_job(), letters=[letter, Message(job_id="job-1").encode()])

    assert house.after(timedelta(0)).buried == 1


def test_one_row_that_nobody_can_read_keeps_the_janitor_from_no_other():
    letters = [Message(job_id="torn").encode(), Message(job_id="dead").encode()]
    house = House(a_job("torn", due_at=NOW), a_job("dead"), a_job("late"), letters=letters)

    with pytest.raises(ExceptionGroup) as raised:
        house.after(HOPELESS)

    assert len(raised.value.exceptions) == 2
    assert house.reminded == ["torn", "late"]
    assert [house.jobs.get(name).status for name in ("dead", "late")] == [Status.FAILED] * 2  # type: ignore[union-attr]


def test_a_round_looks_after_so_many_and_leaves_the_rest_to_the_next():
    house = House(*[a_job(f"job-{nth:03}") for nth in range(AT_ONCE + 5)])

    assert house.after(LATE).reminded == AT_ONCE
