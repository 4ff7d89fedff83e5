"""An owner's jobs: nobody else's, page by page, and what its owner may change."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.core.collection import Collection
from lambdas.core.errors import Conflict, RequestError, TransientError
from lambdas.core.jobs import Filter, Job, Status, keys_of
from lambdas.core.models import offered
from lambdas.core.principals import Principal, anonymous
from lambdas.core.recordings import Format
from tests.fakes.examples import NOW, a_finished_job, a_job
from tests.fakes.queues import MemoryQueue
from tests.fakes.stores import MemoryJobs, MemoryObjects, Time

ME = anonymous(1)
YOU = Principal(id="you", kind="user", retention_days=30)


class ContendedJobs(MemoryJobs):
    """A table whose rows somebody else always writes first."""

    def replace(self, job: Job) -> Job:
        raise Conflict(job.job_id)


class Shelf:
    def __init__(self, *jobs: Job, table: Callable[[], MemoryJobs] = MemoryJobs) -> None:
        self.time, self.jobs = Time(NOW), table()
        self.queue, self.objects = MemoryQueue(self.time), MemoryObjects(self.time)
        for job in jobs:
            self.jobs.insert(job)
        models = offered({"mock": ("mock",)})
        self.collection = Collection(self.jobs, self.jobs, self.queue, self.objects, models, self.time)

    def ids(
        self, limit: int, status: Filter | None = None, favourite: bool | None = None, owner: Principal = ME
    ) -> list[list[str]]:
        """The pages of an owner's list, from the first to the last."""
        pages, cursor = [], None
        while True:
            page, cursor = self.collection.page(owner, limit, cursor, status, favourite)
            pages.append([job.job_id for job in page.jobs])
            if cursor is None:
                return pages


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(RequestError) as error:
        act()
    return error.value.code


def many(count: int) -> list[Job]:
    return [
        a_job(f"job-{nth:02}", created_at=NOW - timedelta(seconds=nth // 2), favourite=nth % 3 == 0)
        for nth in range(count)
    ]


@pytest.mark.parametrize(
    "act",
    [
        lambda collection, me: collection.find("job-1", me),
        lambda collection, me: collection.audio_key("job-1", me, None),
        lambda collection, me: collection.amend("job-1", me, lambda job: job),
        lambda collection, me: collection.cancel("job-1", me),
        lambda collection, me: collection.delete("job-1", me),
    ],
    ids=["find", "audio", "amend", "cancel", "delete"],
)
def test_unknown_foreign_and_deleted_jobs_look_the_same(act):
    assert refused(lambda: act(Shelf().collection, ME)) == "not_found"
    assert refused(lambda: act(Shelf(a_job()).collection, YOU)) == "not_found"
    assert refused(lambda: act(Shelf(a_job(deleted=True)).collection, ME)) == "not_found"


def test_a_job_that_expired_is_not_found_and_its_audio_is_gone():
    shelf = Shelf(a_finished_job())
    shelf.time.now = NOW + timedelta(days=1)

    assert refused(lambda: shelf.collection.find("job-1", ME)) == "not_found"
    assert refused(lambda: shelf.collection.audio_key("job-1", ME, None)) == "expired"
    assert shelf.ids(10) == [[]]


def test_audio_is_where_its_format_says():
    shelf = Shelf(a_finished_job())

    assert shelf.collection.audio_key("job-1", ME, None)[1] == "audio/1d/job-1/job-1.wav"
    assert shelf.collection.audio_key("job-1", ME, Format.OGG)[1] == "audio/1d/job-1/job-1.ogg"
    assert refused(lambda: Shelf(a_job()).collection.audio_key("job-1", ME, None)) == "not_ready"


@given(count=st.integers(0, 25), limit=st.integers(1, 30), favourite=st.none() | st.booleans())
def test_the_pages_of_a_list_hold_every_job_once_newest_first(count, limit, favourite):
    jobs = many(count)
    shelf = Shelf(*jobs, a_job("yours", owner="you"), a_job("gone", deleted=True))

    pages = shelf.ids(limit, favourite=favourite)

    wanted = [job for job in jobs if favourite is None or job.favourite == favourite]
    newest_first = sorted(wanted, key=lambda job: (job.created_at, job.job_id), reverse=True)
    assert [job_id for page in pages for job_id in page] == [job.job_id for job in newest_first]
    assert all(len(page) <= limit for page in pages)


def test_a_list_may_be_of_one_status():
    shelf = Shelf(a_job("one"), a_finished_job("two"))

    assert shelf.ids(5, status="completed") == [["two"]]
    assert shelf.ids(5, status="failed") == [[]]


def test_jobs_made_while_a_list_is_read_shift_nothing():
    shelf = Shelf(*many(6))
    first, cursor = shelf.collection.page(ME, 3, None, None, None)

    shelf.jobs.insert(a_job("newest", created_at=NOW + timedelta(seconds=1)))
    rest, _ = shelf.collection.page(ME, 3, cursor, None, None)

    assert len({job.job_id for job in (*first.jobs, *rest.jobs)}) == 6


def forged(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "", "x", "====", "null", "Zm9v", "ü", "\ud800", "A" * 10_000, forged(), forged("anonymous"),
        forged("anonymous", "", ""), forged("anonymous", "2030"), forged("anonymous", 1, 2),
        forged("anonymous", "2030", "job", "more"), forged("anonymous", "\ud800", "job"),
        forged("anonymous", "2030", "ü"), forged("you", "2030-01-01T12:00:00.000000Z", "job-1"),
        base64.urlsafe_b64encode(b"[" * 700).decode(), base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    ],
)  # fmt: skip
def test_a_cursor_that_this_list_did_not_give_is_refused(cursor):
    assert refused(lambda: Shelf(*many(3)).collection.page(ME, 2, cursor, None, None)) == "invalid_cursor"


def test_somebody_elses_cursor_is_refused():
    shelf = Shelf(a_job("a", owner="you"), a_job("b", owner="you"), *many(3))
    _, cursor = shelf.collection.page(YOU, 1, None, None, None)

    assert refused(lambda: shelf.collection.page(ME, 1, cursor, None, None)) == "invalid_cursor"


@given(st.integers(0, 200))
def test_a_truncated_cursor_is_refused_or_stays_within_its_owners_list(length):
    shelf = Shelf(*many(4), a_job("yours", owner="you"))
    _, cursor = shelf.collection.page(ME, 2, None, None, None)
    assert cursor is not None

    try:
        page, _ = shelf.collection.page(ME, 2, cursor[:length], None, None)
    except RequestError:
        return
    assert {job.owner for job in page.jobs} <= {"anonymous"}


@given(st.text())
def test_no_cursor_does_worse_than_being_refused(cursor):
    assert refused(lambda: Shelf().collection.page(ME, 2, cursor, None, None)) == "invalid_cursor"


def test_a_pending_job_is_told_where_it_stands():
    first, second = a_job("first"), a_job("second", due_at=NOW + timedelta(minutes=5))
    collection = Shelf(first, second).collection

    assert collection.standing(first).position == 1
    assert collection.standing(second).position == 2
    assert (collection.standing(second).wait_s or 0) > (collection.standing(first).wait_s or 0) > 0
    assert collection.standing(a_finished_job()).position is None


def test_a_job_that_is_being_made_has_no_position_and_less_to_wait_for():
    collection = Shelf().collection
    begun = a_job().begun("first", NOW)

    assert collection.standing(begun).position is None
    assert (collection.standing(begun.progressed(80, "…")).wait_s or 0) < (
        collection.standing(begun).wait_s or 0
    )


def test_a_pending_job_of_a_model_that_is_deployed_no_more_can_still_be_read():
    gone = a_job(piece=a_job().piece.but(model="gone"))

    assert Shelf(gone).collection.standing(gone).position == 1


def test_canceling_ends_a_job_and_sends_word():
    shelf = Shelf(a_job())

    assert shelf.collection.cancel("job-1", ME).status is Status.CANCELED
    assert [letter.body for letter in shelf.queue.letters] == ['{"job_id":"job-1"}']
    assert refused(lambda: shelf.collection.cancel("job-1", ME)) == "already_terminal"


def test_deleting_takes_the_files_at_once_and_hides_the_job():
    job = a_finished_job()
    shelf = Shelf(job)
    for key in keys_of(job).values():
        shelf.objects.write(key, b"data", "audio/wav", "song")

    shelf.collection.delete("job-1", ME)

    assert shelf.objects.files == {}
    assert refused(lambda: shelf.collection.find("job-1", ME)) == "not_found"
    assert len(shelf.queue.letters) == 1


def test_a_change_is_made_upon_what_somebody_else_wrote_meanwhile():
    shelf = Shelf(a_job())
    raced: list[Job] = []

    def rename(job: Job) -> Job:
        if not raced:
            raced.append(shelf.jobs.replace(job.but(favourite=True)))
        return job.but(title="Hail")

    changed = shelf.collection.amend("job-1", ME, rename)

    assert (changed.title, changed.favourite) == ("Hail", True)


def test_a_job_that_never_stands_still_may_be_changed_another_time():
    with pytest.raises(TransientError):
        Shelf(a_job(), table=ContendedJobs).collection.amend("job-1", ME, lambda job: job)
