"""`POST /generate` beyond the plain case: waiting, repeating, reusing, variations, failures, webhooks."""

import io
import wave
from uuid import uuid4

import httpx

from tests.local.caller import Caller, refused

UNREACHABLE = "https://127.0.0.1.nip.invalid/hook"  # public by its looks, nowhere by its name


def test_who_prefers_to_wait_gets_the_finished_job(api: Caller) -> None:
    answer = api.generate("patience", {"Prefer": "respond-async, wait=25"})

    assert answer.status_code == 201
    assert answer.headers["preference-applied"] == "wait=25"
    assert answer.headers["location"] == answer.json()["urls"]["self"]
    assert answer.json()["status"] == "completed"
    assert answer.json()["audio_url"]


def test_who_waits_too_briefly_gets_the_pending_job(api: Caller) -> None:
    answer = api.generate("[[slow:4]] haste", {"Prefer": "wait=1"})

    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "wait=1"
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["status"] in ("queued", "processing")


def test_a_wait_for_all_variations_ends_with_the_last(api: Caller) -> None:
    answer = api.generate("patience for two", {"Prefer": "wait=25"}, variations=2)

    assert answer.status_code == 201
    assert {api.job(job_id)["status"] for job_id in answer.json()["variations"]} == {"completed"}


def test_a_wait_for_a_job_that_fails_is_answered_with_the_failed_job(api: Caller) -> None:
    answer = api.generate("[[fail]]", {"Prefer": "wait=25"})

    assert (answer.status_code, answer.json()["status"]) == (201, "failed")


def test_an_unreadable_preference_is_no_preference(api: Caller) -> None:
    for preference in ("wait=soon", "wait", "handling=lenient", ",;=", "wait=-1"):
        answer = api.generate("whatever", {"Prefer": preference})

        assert answer.status_code == 202
        assert "preference-applied" not in answer.headers


def test_the_same_key_and_body_replay_the_first_answer_to_the_letter(api: Caller) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    first = api.generate("once", headers)
    api.ended(first.json())

    second = api.generate("once", headers)

    assert (first.status_code, second.status_code) == (202, 202)
    assert second.content == first.content
    assert second.headers["location"] == first.headers["location"]
    assert (first.headers.get("idempotent-replayed"), second.headers["idempotent-replayed"]) == (None, "true")


def test_a_key_is_worth_its_answer_even_when_the_job_is_deleted(api: Caller) -> None:
    headers = {"Idempotency-Key": str(uuid4()), "Prefer": "wait=25"}
    first = api.generate("once", headers)
    api.http.delete(f"/jobs/{first.json()['job_id']}")

    second = api.generate("once", headers)

    assert (first.status_code, second.status_code) == (201, 202)
    assert second.json()["job_id"] == first.json()["job_id"]


def test_the_same_key_with_another_body_is_refused(api: Caller) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    api.generate("once", headers)

    refused(api.generate("twice", headers), 422, "idempotency_mismatch")


def test_a_seeded_request_made_before_is_answered_with_the_audio_of_then(api: Caller) -> None:
    prompt = f"again {uuid4()}"
    first = api.ended(api.make(prompt, seed=42))

    second = api.ended(api.make(prompt, seed=42))

    assert (first["cached"], second["cached"]) == (False, True)
    assert second["job_id"] != first["job_id"]
    assert second["formats"] == first["formats"]
    assert httpx.get(second["audio_url"], trust_env=False).status_code == 200


def test_who_asks_for_no_cache_gets_new_audio(api: Caller) -> None:
    prompt = f"again {uuid4()}"
    api.ended(api.make(prompt, seed=42))

    answer = api.generate(prompt, {"Cache-Control": "no-cache"}, seed=42)

    assert answer.json()["cached"] is False
    assert api.ended(answer.json())["status"] == "completed"


def test_variations_are_jobs_of_their_own_with_seeds_of_their_own(api: Caller) -> None:
    first = api.make("variations", variations=3, seed=7)

    jobs = [api.ended(api.job(job_id)) for job_id in first["variations"]]

    assert first["job_id"] == first["variations"][0]
    assert [job["parameters"]["seed"] for job in jobs] == [7, 8, 9]
    assert all(job["variations"] == first["variations"] for job in jobs)
    assert len({job["formats"]["wav"]["sha256"] for job in jobs}) == 3


def test_music_that_is_refused_for_good_ends_as_failed_with_the_reason(api: Caller) -> None:
    job = api.ended(api.make("[[fail]]"))

    assert job["status"] == "failed"
    assert job["error"] == {"code": "refused", "detail": "The prompt asked the mock to refuse it."}
    assert job["audio_url"] is None
    refused(api.http.get(f"/jobs/{job['job_id']}/audio"), 409, "not_ready")


def test_music_that_fails_in_passing_is_tried_again_and_tells_of_it(api: Caller) -> None:
    job = api.ended(api.make("[[fail:2]] rain"))

    assert job["status"] == "completed"
    assert [(trial["attempt"], trial["code"]) for trial in job["trials"]] == [
        (1, "unavailable"),
        (2, "unavailable"),
    ]


def test_the_format_asked_for_is_the_one_linked(api: Caller) -> None:
    job = api.ended(api.make("flac", format="flac"))

    assert job["file_key"].endswith(".flac")
    assert httpx.get(job["audio_url"], trust_env=False).headers["content-type"] == "audio/flac"


def test_a_duration_is_exact_to_the_sample(api: Caller) -> None:
    job = api.ended(api.make("odd length", duration=1.2345))

    with wave.open(io.BytesIO(httpx.get(job["audio_url"], trust_env=False).content)) as wav:
        assert wav.getnframes() == round(1.2345 * wav.getframerate())


def test_a_webhook_that_leads_nowhere_does_not_hold_the_job_up(api: Caller) -> None:
    assert api.ended(api.make("call me", webhook_url=UNREACHABLE))["status"] == "completed"
