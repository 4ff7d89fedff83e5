"""Many callers at once: every job that was promised ends, once, and no answer is an error."""

from concurrent.futures import ThreadPoolExecutor

from tests.local.caller import TERMINAL, Caller, View

CALLERS = 6
EACH = 4


def test_jobs_submitted_by_many_at_once_all_complete_once(api: Caller) -> None:
    def submit(caller: int) -> list[View]:
        return [api.make(f"caller {caller}, song {song}") for song in range(EACH)]

    with ThreadPoolExecutor(CALLERS) as pool:
        made = [job for jobs in pool.map(submit, range(CALLERS)) for job in jobs]
    ended = [api.ended(job) for job in made]

    assert len({job["job_id"] for job in made}) == CALLERS * EACH
    assert {job["status"] for job in ended} == {"completed"}
    assert all(job["trials"] == [] for job in ended)
    assert len({job["formats"]["wav"]["sha256"] for job in ended}) == CALLERS * EACH


def test_one_key_used_by_many_at_once_makes_one_job(api: Caller) -> None:
    headers = {"Idempotency-Key": "everybody at once"}

    def submit(_: int) -> tuple[int, str]:
        answer = api.generate("one for all", headers)
        return answer.status_code, answer.json().get("job_id", "")

    with ThreadPoolExecutor(CALLERS) as pool:
        answers = list(pool.map(submit, range(CALLERS)))

    assert {status for status, _ in answers} <= {202, 409}
    (job_id,) = {job_id for status, job_id in answers if status == 202}
    assert api.ended(api.job(job_id))["status"] in TERMINAL


def test_a_job_that_many_rename_and_one_cancels_ends_canceled(api: Caller) -> None:
    job = api.make("[[slow:5]] contended")
    address = f"/jobs/{job['job_id']}"

    def change(caller: int) -> int:
        if caller == CALLERS // 2:
            return api.http.post(f"{address}/cancel").status_code
        return api.http.patch(address, json={"title": f"Title {caller}"}).status_code

    with ThreadPoolExecutor(CALLERS) as pool:
        statuses = list(pool.map(change, range(CALLERS)))

    assert statuses[CALLERS // 2] == 202
    assert set(statuses) <= {200, 202, 503}
    assert api.job(job["job_id"])["status"] == "canceled"
