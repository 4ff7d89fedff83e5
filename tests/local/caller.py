"""A caller of the API, as the tests of the whole path need one: makes jobs, follows them, reads problems."""

import time
from typing import Any, Self

import httpx
from httpx import Response

View = dict[str, Any]

TERMINAL = ("completed", "failed", "canceled")
LOOKS = 600  # at a job before a test gives up on it
PAUSE = 0.1  # seconds between two looks
INTERNALS = ("Traceback", "/var/task", ".py", "lambdas", "botocore", "pydantic", "Exception", "arn:aws")


class Caller:
    """Keeps connections open; ignores proxies. `http` sends anything at all."""

    def __init__(self, api_url: str) -> None:
        self.http = httpx.Client(base_url=api_url, trust_env=False, timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def generate(self, prompt: str = "rain", headers: dict[str, str] | None = None, **body: Any) -> Response:
        return self.http.post("/generate", json={"prompt": prompt, "duration": 1, **body}, headers=headers)

    def make(self, prompt: str = "rain", **body: Any) -> View:
        """A job just queued."""
        answer = self.generate(prompt, **body)
        assert answer.status_code == 202, answer.text
        view: View = answer.json()
        return view

    def job(self, job_id: str) -> View:
        answer = self.http.get(f"/jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        view: View = answer.json()
        return view

    def life(self, job: View) -> list[View]:
        """Every look at the job from now to its end."""
        looks = [job]
        for _ in range(LOOKS):
            looks.append(self.job(job["job_id"]))
            if looks[-1]["status"] in TERMINAL:
                return looks
            time.sleep(PAUSE)
        raise AssertionError(f"it never ended: {looks[-1]}")

    def ended(self, job: View) -> View:
        return self.life(job)[-1]


def refused(answer: Response, status: int, code: str, pointer: str | None = None) -> View:
    """The problem that was answered, once it is sure that it is one, complete and without internals."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem: View = answer.json()
    expected = {"type", "title", "status", "detail", "instance", "code", "request_id"}
    assert expected <= problem.keys() <= expected | {"errors"}
    assert (problem["status"], problem["code"], problem["type"]) == (
        status,
        code,
        f"urn:cadenza:problem:{code}",
    )
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"]
    if pointer is not None:
        assert pointer in [fault["pointer"] for fault in problem["errors"]], problem
    told = answer.text.replace(problem["instance"], "")
    assert not [word for word in INTERNALS if word in told], told
    return problem
