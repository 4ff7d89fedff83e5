"""Jobs after they were made: read, list, rename, mark, cancel, delete."""

from uuid import uuid4

from local.cloud import LocalCloud
from tests.local.caller import Caller, View, refused


def test_an_unchanged_job_is_not_sent_again(api: Caller, song: View) -> None:
    first = api.http.get(f"/jobs/{song['job_id']}")
    tag = first.headers["etag"]

    again = api.http.get(f"/jobs/{song['job_id']}", headers={"If-None-Match": f'"other", {tag}'})
    other = api.http.get(f"/jobs/{song['job_id']}", headers={"If-None-Match": '"other"'})

    assert tag.startswith('"')
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert (other.status_code, other.headers["etag"]) == (200, tag)
    assert "retry-after" not in first.headers


def test_a_changed_job_has_another_tag(api: Caller) -> None:
    job = api.ended(api.make("to be renamed"))
    tag = api.http.get(f"/jobs/{job['job_id']}").headers["etag"]

    api.http.patch(f"/jobs/{job['job_id']}", json={"title": "Renamed"})

    answer = api.http.get(f"/jobs/{job['job_id']}", headers={"If-None-Match": tag})
    assert (answer.status_code, answer.json()["title"]) == (200, "Renamed")


def test_a_pending_job_says_when_to_ask_again(api: Caller) -> None:
    job = api.make("[[slow:3]] later")

    answer = api.http.get(f"/jobs/{job['job_id']}")

    assert int(answer.headers["retry-after"]) >= 1
    refused(api.http.get(f"/jobs/{job['job_id']}/audio"), 409, "not_ready")


def test_a_list_goes_on_where_the_cursor_says_newest_first(api: Caller) -> None:
    made = [api.make(f"number {number}")["job_id"] for number in range(5)]

    listed: list[str] = []
    cursor = None
    while len(listed) < 5:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = api.http.get("/jobs", params=query).json()
        assert len(page["jobs"]) == 2
        listed += [job["job_id"] for job in page["jobs"]]
        cursor = page["next_cursor"]

    assert listed[:5] == made[::-1]
    assert len(set(listed)) == len(listed)


def test_a_list_ends_without_a_cursor_and_holds_every_job_once(api: Caller) -> None:
    api.make("one more")

    ids, cursor = [], ""
    while cursor is not None:
        page = api.http.get("/jobs", params={"limit": 100, **({"cursor": cursor} if cursor else {})}).json()
        ids += [job["job_id"] for job in page["jobs"]]
        cursor = page["next_cursor"]

    assert len(ids) == len(set(ids)) > 0


def test_a_list_is_filtered_by_status_and_by_favourite(api: Caller) -> None:
    failed = api.ended(api.make("[[fail]]"))
    loved = api.ended(api.make("loved"))
    api.http.patch(f"/jobs/{loved['job_id']}", json={"favourite": True})

    failures = api.http.get("/jobs?status=failed").json()["jobs"]
    favourites = api.http.get("/jobs?favourite=true").json()["jobs"]
    both = api.http.get("/jobs?favourite=true&status=failed").json()["jobs"]

    assert failed["job_id"] in [job["job_id"] for job in failures]
    assert {job["status"] for job in failures} == {"failed"}
    assert loved["job_id"] in [job["job_id"] for job in favourites]
    assert all(job["favourite"] for job in favourites)
    assert loved["job_id"] not in [job["job_id"] for job in both]


def test_a_job_is_renamed_and_marked_and_given_back_its_prompt(api: Caller) -> None:
    job = api.ended(api.make("plain prompt"))
    address = f"/jobs/{job['job_id']}"

    renamed = api.http.patch(address, json={"title": "  Nocturne\tin  blue ", "favourite": True})
    marked = api.http.patch(address, json={"favourite": False})
    given_back = api.http.patch(address, json={"title": None})

    assert (renamed.status_code, renamed.json()["title"], renamed.json()["favourite"]) == (
        200,
        "Nocturne in blue",
        True,
    )
    assert (marked.json()["title"], marked.json()["favourite"]) == ("Nocturne in blue", False)
    assert given_back.json()["title"] == "plain prompt"


def test_a_download_is_named_after_the_title(api: Caller) -> None:
    job = api.ended(api.make("a prompt"))
    api.http.patch(f"/jobs/{job['job_id']}", json={"title": 'Żółć "9"/\\..'})

    link = api.http.get(f"/jobs/{job['job_id']}/audio?format=mp3").headers["location"]
    named = api.http.get(link).headers["content-disposition"]

    assert named.startswith('attachment; filename="')
    assert named.endswith("filename*=UTF-8''%C5%BB%C3%B3%C5%82%C4%87%20%229%22%2F%5C...mp3")


def test_a_pending_job_is_canceled_once(api: Caller) -> None:
    job = api.make("[[slow:30]] never mind")
    address = f"/jobs/{job['job_id']}"

    first = api.http.post(f"{address}/cancel")

    assert (first.status_code, first.json()["status"]) == (202, "canceled")
    refused(api.http.post(f"{address}/cancel"), 409, "already_terminal")
    refused(api.http.get(f"{address}/audio"), 409, "not_ready")
    assert api.job(job["job_id"])["status"] == "canceled"


def test_a_completed_job_cannot_be_canceled(api: Caller, song: View) -> None:
    refused(api.http.post(f"/jobs/{song['job_id']}/cancel"), 409, "already_terminal")


def test_a_deleted_job_is_gone_with_every_file(api: Caller, cloud: LocalCloud) -> None:
    job = api.ended(api.make("short-lived"))
    address = f"/jobs/{job['job_id']}"
    assert len(files(cloud, job)) == 5

    deleted = api.http.delete(address)

    assert (deleted.status_code, deleted.content) == (204, b"")
    assert files(cloud, job) == []
    for answer in (
        api.http.get(address),
        api.http.get(f"{address}/audio"),
        api.http.patch(address, json={"favourite": True}),
        api.http.post(f"{address}/cancel"),
        api.http.delete(address),
    ):
        refused(answer, 404, "not_found")
    assert job["job_id"] not in [each["job_id"] for each in api.http.get("/jobs").json()["jobs"]]


def test_a_job_deleted_while_it_plays_leaves_nothing(api: Caller, cloud: LocalCloud) -> None:
    job = api.make("[[slow:1]] gone before it is ready")

    assert api.http.delete(f"/jobs/{job['job_id']}").status_code == 204
    api.ended(api.make("[[slow:2]] something that takes longer"))

    refused(api.http.get(f"/jobs/{job['job_id']}"), 404, "not_found")
    assert files(cloud, job) == []


def test_a_job_that_never_was_looks_like_one_that_is_gone(api: Caller) -> None:
    problem = refused(api.http.get(f"/jobs/{uuid4()}"), 404, "not_found")

    assert problem["detail"] == "There is no such job."


def files(cloud: LocalCloud, job: View) -> list[str]:
    bucket, found = cloud.outputs["MusicBucketName"], []
    for prefix in ("audio/", "raw/"):
        listing = cloud.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)
        found += [each["Key"] for each in listing.get("Contents", []) if job["job_id"] in each["Key"]]
    return found
