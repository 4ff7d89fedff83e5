"""The contract of ports.JobStore and ports.JobIndex."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdas.core.errors import Conflict
from lambdas.core.jobs import Job
from lambdas.core.pieces import Ticket
from tests.contract.adapters import Adapters
from tests.fakes.examples import HOOK, NOW, PIECE, a_finished_job, a_job


@pytest.mark.parametrize(
    "job",
    [
        a_job(webhook=HOOK, title="ü 🎵 שלום", variations=("job-1", "job-2"), copy_of="job-0"),
        a_job().claimed("worker", NOW).begun("first", NOW).started(Ticket(id='{"a": 1}'), NOW),
        a_job().begun("first", NOW).struck("cold", "Starting up.").failed("refused", "No.", NOW),
        a_finished_job(piece=PIECE.but(bpm=90.5, seed=2**32 - 1)),
    ],
    ids=["queued", "started", "failed", "finished"],
)
def test_a_job_is_read_as_it_was_written(adapters: Adapters, job: Job) -> None:
    assert adapters.jobs.insert(job)

    assert adapters.jobs.get(job.job_id) == job


@pytest.mark.parametrize("job_id", ["job-1", "", "x" * 5000, "ü/..%00"])
def test_a_job_that_was_never_written_is_not_there(adapters: Adapters, job_id: str) -> None:
    assert adapters.jobs.get(job_id) is None


def test_an_id_is_taken_once(adapters: Adapters) -> None:
    adapters.jobs.insert(a_job(title="first"))

    assert not adapters.jobs.insert(a_job(title="second"))

    assert adapters.jobs.get("job-1") == a_job(title="first")


def test_a_change_over_the_version_that_was_read_is_stored_as_the_next(adapters: Adapters) -> None:
    adapters.jobs.insert(a_job())

    changed = adapters.jobs.replace(a_job(title="Hail"))

    assert changed == a_job(title="Hail", version=1)
    assert adapters.jobs.get("job-1") == changed


def test_of_two_changes_over_one_version_the_second_loses(adapters: Adapters) -> None:
    adapters.jobs.insert(a_job())
    adapters.jobs.replace(a_job(title="first"))

    with pytest.raises(Conflict):
        adapters.jobs.replace(a_job(title="second"))

    assert adapters.jobs.get("job-1") == a_job(title="first", version=1)


def test_a_change_to_a_row_that_is_gone_brings_nothing_back(adapters: Adapters) -> None:
    with pytest.raises(Conflict):
        adapters.jobs.replace(a_job())

    assert adapters.jobs.get("job-1") is None


def test_a_row_goes_at_its_version_only(adapters: Adapters) -> None:
    adapters.jobs.insert(a_job())
    changed = adapters.jobs.replace(a_job())

    with pytest.raises(Conflict):
        adapters.jobs.remove(a_job())
    assert adapters.jobs.get("job-1") == changed

    adapters.jobs.remove(changed)
    assert adapters.jobs.get("job-1") is None


def test_removing_what_is_gone_is_fine(adapters: Adapters) -> None:
    adapters.jobs.remove(a_job())

    assert adapters.jobs.get("job-1") is None


def _pages(adapters: Adapters, limit: int, favourite: bool | None = None) -> list[list[str]]:
    pages, after = [], None
    while True:
        page = adapters.jobs.owned_by("anonymous", limit, after, None, favourite)
        pages.append([job.job_id for job in page.jobs])
        after = page.after
        if after is None:
            return pages


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(count=st.integers(0, 12), limit=st.integers(1, 13))
def test_the_pages_of_an_owner_hold_every_job_once_newest_first(
    adapters: Adapters, count: int, limit: int
) -> None:
    owner = f"owner-{count}-{limit}"
    for nth in range(count):
        made = NOW + timedelta(seconds=nth // 2)
        adapters.jobs.insert(a_job(f"{owner}-{nth:02}", owner=owner, created_at=made))

    seen: list[Job] = []
    after = None
    while True:
        page = adapters.jobs.owned_by(owner, limit, after, None, None)
        assert len(page.jobs) <= limit
        seen += page.jobs
        after = page.after
        if after is None:
            break

    assert sorted(job.job_id for job in seen) == [f"{owner}-{nth:02}" for nth in range(count)]
    moments = [job.created_at for job in seen]
    assert moments == sorted(moments, reverse=True)


def test_a_list_leaves_out_what_is_deleted_and_what_is_anothers(adapters: Adapters) -> None:
    adapters.jobs.insert(a_job("mine"))
    adapters.jobs.insert(a_job("gone", deleted=True))
    adapters.jobs.insert(a_job("yours", owner="you"))

    assert _pages(adapters, 5) == [["mine"]]


def test_a_list_may_be_of_favourites_or_of_one_status(adapters: Adapters) -> None:
    adapters.jobs.insert(a_job("plain"))
    adapters.jobs.insert(a_finished_job("loved", favourite=True, created_at=NOW + timedelta(seconds=1)))

    assert _pages(adapters, 5, favourite=True) == [["loved"]]
    assert _pages(adapters, 5, favourite=False) == [["plain"]]
    assert _pages(adapters, 5) == [["loved", "plain"]]
    done = adapters.jobs.owned_by("anonymous", 5, None, "completed", None)
    assert [job.job_id for job in done.jobs] == ["loved"]
    assert adapters.jobs.owned_by("anonymous", 5, None, "failed", None).jobs == ()


def test_a_filter_that_drops_most_rows_still_finds_them_all(adapters: Adapters) -> None:
    for nth in range(70):
        made = NOW + timedelta(seconds=nth)
        adapters.jobs.insert(a_job(f"job-{nth:02}", created_at=made, favourite=nth % 23 == 0))

    found = [job_id for page in _pages(adapters, 2, favourite=True) for job_id in page]

    assert found == ["job-69", "job-46", "job-23", "job-00"]


def test_a_job_is_overdue_from_its_moment_until_it_is_settled(adapters: Adapters) -> None:
    moment = a_job().due_at
    assert moment is not None
    adapters.jobs.insert(a_job())

    assert list(adapters.jobs.overdue(moment, 10)) == []
    assert list(adapters.jobs.overdue(moment + timedelta(microseconds=1), 10)) == ["job-1"]

    adapters.jobs.replace(a_job().failed("x", "X.", NOW).settled())
    assert list(adapters.jobs.overdue(moment + timedelta(days=1), 10)) == []


def test_a_job_that_was_removed_is_not_overdue(adapters: Adapters) -> None:
    adapters.jobs.insert(a_job())

    adapters.jobs.remove(a_job())

    assert list(adapters.jobs.overdue(NOW + timedelta(days=1), 10)) == []


def test_every_overdue_job_is_found_wherever_it_lies(adapters: Adapters) -> None:
    ids = {f"job-{nth}" for nth in range(12)}
    for job_id in ids:
        adapters.jobs.insert(a_job(job_id))

    assert set(adapters.jobs.overdue(NOW + timedelta(days=1), 100)) == ids


def test_only_queued_jobs_that_are_due_earlier_wait_in_front(adapters: Adapters) -> None:
    mine = a_job("mine", due_at=NOW + timedelta(minutes=9))
    for job in (
        mine,
        a_job("before"),
        a_job("also before"),
        a_job("after", due_at=NOW + timedelta(minutes=10)),
        a_job("working").begun("first", NOW),
        a_finished_job("done"),
    ):
        adapters.jobs.insert(job)

    assert adapters.jobs.queued_before(mine) == 2
    assert adapters.jobs.queued_before(mine.settled()) == 0
