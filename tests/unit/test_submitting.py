"""From a checked request to queued jobs: what is refused, what is remembered, what was made before."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

import pytest

from lambdas.core.admitting import Admission
from lambdas.core.cache import cache_key
from lambdas.core.choosing import Choice
from lambdas.core.errors import RequestError
from lambdas.core.jobs import Job, Status
from lambdas.core.models import MOCK, Model, Span, Tariff
from lambdas.core.ports import Message
from lambdas.core.principals import Principal, anonymous
from lambdas.core.requests import SEEDS, GenerateRequest
from lambdas.core.sourcing import Sourcing
from lambdas.core.spending import Spending
from lambdas.core.submitting import KEPT, TAKEOVER, Submission, Submitter
from lambdas.core.uploading import Uploads
from tests.fakes.examples import NOW
from tests.fakes.queues import MemoryQueue
from tests.fakes.stores import MemoryJobs, MemoryLedger, MemoryObjects, Time

ME = anonymous(1)
YOU = Principal(id="you", kind="user", retention_days=30)
SINGER = replace(MOCK, id="singer", duration=Span(5, 60), options={"lyrics": None, "guidance": Span(1, 9)})
MODELS = {"mock": MOCK, "singer": SINGER}


class Desk:
    def __init__(self, models: Mapping[str, Model] = MODELS, seed: int = 7) -> None:
        ids = count(1)
        self.time, self.jobs = Time(NOW), MemoryJobs()
        self.queue, self.ledger = MemoryQueue(self.time), MemoryLedger(self.time)
        self.objects = MemoryObjects(self.time)
        self.uploads = Uploads(self.objects, self.ledger, self.time, lambda: f"upload-{next(ids)}")
        self.submitter = Submitter(
            self.jobs,
            self.queue,
            self.ledger,
            Choice(models),
            Sourcing(self.jobs, self.uploads, self.time),
            Admission(self.jobs, self.queue, Spending(self.ledger, self.time), self.time),
            self.time,
            lambda: seed,
            lambda: f"job-{next(ids)}",
        )

    def submit(
        self, key: str | None = None, use_cache: bool = True, owner: Principal = ME, **fields: object
    ) -> Submission:
        request = GenerateRequest.model_validate({"prompt": "rain", **fields})
        return self.submitter.submit(
            request, owner, "https://cadenza.example/v1", key, use_cache, lambda jobs: f"{len(jobs)} jobs"
        )

    def cached_as(self, job: Job) -> str:
        return cache_key(job.owner, job.piece)

    def made(self, job: Job, **changes: object) -> None:
        """The job has come to its end, and the cache knows it."""
        self.jobs.replace(job.but(**{"status": Status.COMPLETED, **changes}))
        self.ledger.put(self.cached_as(job), job.job_id, job.expires_at)

    @property
    def sent(self) -> list[str]:
        return [Message.model_validate_json(letter.body).job_id for letter in self.queue.letters]


def refused(act: Callable[[], object]) -> RequestError:
    with pytest.raises(RequestError) as error:
        act()
    return error.value


def test_a_request_becomes_a_queued_job_with_all_that_was_asked():
    desk = Desk()

    (job,) = desk.submit(
        duration=12.5, genre="folk", bpm=90, format="mp3", webhook_url="https://example.com/"
    ).jobs

    assert desk.jobs.get("job-1") == job
    assert desk.sent == ["job-1"]
    assert job.piece.effective_prompt == "folk music: rain"
    assert (job.piece.duration, job.piece.bpm, job.piece.format, job.piece.seed) == (12.5, 90, "mp3", 7)
    assert job.webhook is not None
    assert job.due_at == NOW + timedelta(minutes=1)
    assert job.expires_at == NOW + timedelta(days=1)
    assert (job.mock, job.licence) == (True, MOCK.licence)


def test_audio_is_kept_as_long_as_its_owner_may():
    (job,) = Desk().submit(owner=YOU).jobs

    assert (job.owner, job.retention_days, job.expires_at) == ("you", 30, NOW + timedelta(days=30))


def test_what_a_model_cannot_do_becomes_no_job():
    desk = Desk()

    refused(lambda: desk.submit(bpm=30))

    assert (desk.jobs.rows, desk.sent) == ([], [])


def test_variations_are_jobs_of_neighbouring_seeds_that_know_of_each_other():
    jobs = Desk(seed=SEEDS - 1).submit(variations=3).jobs

    assert [job.piece.seed for job in jobs] == [SEEDS - 1, 0, 1]
    assert {job.variations for job in jobs} == {("job-1", "job-2", "job-3")}


def test_a_key_gives_the_same_jobs_and_the_same_answer_again():
    desk = Desk()

    first = desk.submit(key="k", variations=2)
    second = desk.submit(key="k", variations=2)

    assert [job.job_id for job in second.jobs] == [job.job_id for job in first.jobs]
    assert second.answer == "2 jobs"
    assert len(desk.jobs.rows) == 2
    assert desk.sent == ["job-1", "job-2"]


@pytest.mark.parametrize("other", [{"prompt": "hail"}, {"duration": 31}, {"seed": 1}, {"variations": 2}])
def test_a_key_used_with_another_body_is_refused(other):
    desk = Desk()
    desk.submit(key="k")

    assert refused(lambda: desk.submit(key="k", **other)).code == "idempotency_mismatch"


def test_a_key_belongs_to_its_owner_and_to_a_day():
    desk = Desk()
    desk.submit(key="k")

    assert desk.submit(key="k", owner=YOU, prompt="hail").jobs[0].job_id == "job-2"
    desk.time.pass_by(KEPT.total_seconds())
    assert desk.submit(key="k", prompt="hail").jobs[0].piece.prompt == "hail"


def test_a_key_in_progress_is_refused_until_its_first_try_must_have_died():
    desk = Desk()
    desk.submitter = replace(desk.submitter, jobs=Dying())
    with pytest.raises(KeyboardInterrupt):
        desk.submit(key="k")
    desk.submitter = replace(desk.submitter, jobs=desk.jobs)

    error = refused(lambda: desk.submit(key="k"))
    desk.time.pass_by(TAKEOVER.total_seconds())
    taken_over = desk.submit(key="k")

    assert (error.code, error.retry_after) == ("idempotency_in_progress", 1)
    assert [job.job_id for job in taken_over.jobs] == ["job-1"]


class RepeatingLedger(MemoryLedger):
    """Makes every claim twice, as a client does that had no answer to its first try."""

    def claim(self, key: str, value: str, until: datetime) -> str | None:
        super().claim(key, value, until)
        return super().claim(key, value, until)


def test_a_key_whose_claim_was_repeated_is_not_in_its_own_way():
    desk = Desk()
    desk.submitter = replace(desk.submitter, ledger=RepeatingLedger(desk.time))

    assert [job.job_id for job in desk.submit(key="k").jobs] == ["job-1"]


class Dying(MemoryJobs):
    def insert(self, job: object) -> bool:
        raise KeyboardInterrupt


def test_a_seeded_request_that_was_made_before_is_a_copy_and_costs_nothing():
    desk = Desk(models={"mock": replace(MOCK, tariffs={"first": Tariff(0.01)})})
    (first,) = desk.submit(seed=1).jobs
    desk.made(first)

    (again,) = desk.submit(seed=1, format="ogg").jobs

    assert (again.copy_of, again.cost.estimate_usd) == (first.job_id, 0.0)
    assert (first.copy_of, first.cost.estimate_usd) == (None, 0.3)


@pytest.mark.parametrize("change", [{"deleted": True}, {"status": Status.FAILED}, {"expires_at": NOW}])
def test_what_was_made_before_and_is_gone_is_made_and_costs_what_it_costs(change):
    desk = Desk(models={"mock": replace(MOCK, tariffs={"first": Tariff(0.01)})})
    (first,) = desk.submit(seed=1).jobs
    desk.made(first, **change)

    (again,) = desk.submit(seed=1).jobs

    assert (again.copy_of, again.cost.estimate_usd, again.reserved_usd) == (None, 0.3, 0.3)


def test_what_was_made_before_and_has_no_row_any_more_is_made():
    desk = Desk()
    (first,) = desk.submit(seed=1).jobs
    desk.made(first)
    desk.jobs.documents.clear()

    assert desk.submit(seed=1).jobs[0].copy_of is None


def test_nobody_is_answered_from_before_who_did_not_ask_for_it():
    desk = Desk()
    (first,) = desk.submit(seed=7).jobs
    desk.made(first)

    fresh = (
        desk.submit(),
        desk.submit(seed=7, use_cache=False),
        desk.submit(seed=7, owner=YOU),
        desk.submit(seed=8),
    )

    assert [made.jobs[0].copy_of for made in fresh] == [None] * 4
    desk.time.pass_by(24 * 3600)
    assert desk.submit(seed=7).jobs[0].copy_of is None
