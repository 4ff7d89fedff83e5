"""Messages that nobody can handle end where an operator finds them, and their jobs end with a reason."""

import json
import time
from uuid import uuid4

import pytest

from local.cloud import LocalCloud
from tests.local.caller import Caller, View, refused

LOOKS = 300
PAUSE = 0.2  # seconds
GARBAGE = ("garbage {}", '{{"job_id": 7, "mark": "{}"}}', '{{"mark": "{}"}}', '["{}"]')


@pytest.fixture(scope="module")
def poisoned(api: Caller) -> View:
    """A job whose every handling raises what nobody planned for."""
    return api.make("[[bug]] rain")


@pytest.fixture(scope="module")
def buried(cloud: LocalCloud, poisoned: View) -> str:
    """The body of its dead letter."""
    return dead_letter(cloud, poisoned["job_id"])


def dead_letter(cloud: LocalCloud, text: str) -> str:
    """Wait for a dead letter with this text in it; it stays where it is."""
    for _ in range(LOOKS):
        answer = cloud.client("sqs").receive_message(
            QueueUrl=cloud.outputs["DeadLetterQueueUrl"], MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        bodies: list[str] = [message["Body"] for message in answer.get("Messages", [])]
        found = [body for body in bodies if text in body]
        if found:
            return found[0]
        time.sleep(PAUSE)
    raise AssertionError(f"{text} is not among the dead letters")


def tidy(cloud: LocalCloud) -> View:
    """One round of the janitor, now instead of within a minute."""
    functions = cloud.client("lambda").list_functions()["Functions"]
    name = next(each["FunctionName"] for each in functions if each["Handler"] == "lambdas.janitor.handler")
    answer = cloud.client("lambda").invoke(FunctionName=name, Payload=b"{}")
    assert "FunctionError" not in answer
    found: View = json.loads(answer["Payload"].read())
    return found


def test_a_poison_message_ends_among_the_dead_letters(poisoned: View, buried: str) -> None:
    assert json.loads(buried) == {"job_id": poisoned["job_id"]}


def test_its_job_ends_as_failed_after_the_janitors_round(
    api: Caller, cloud: LocalCloud, poisoned: View, buried: str
) -> None:
    tidy(cloud)

    job = api.ended(poisoned)

    assert (job["status"], job["error"]["code"]) == ("failed", "internal_error")
    assert "nobody planned" not in json.dumps(job["error"])
    refused(api.http.get(f"/jobs/{job['job_id']}/audio"), 409, "not_ready")


def test_the_dead_letter_stays_for_the_operator(cloud: LocalCloud, poisoned: View, buried: str) -> None:
    tidy(cloud)

    attributes = cloud.client("sqs").get_queue_attributes(
        QueueUrl=cloud.outputs["DeadLetterQueueUrl"], AttributeNames=["All"]
    )["Attributes"]

    seen = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    assert sum(int(attributes[name]) for name in seen) >= 1


def test_garbage_on_the_queue_is_put_aside_and_hurts_nobody(api: Caller, cloud: LocalCloud) -> None:
    mark = str(uuid4())
    bodies = [each.format(mark) for each in GARBAGE]
    for body in bodies:
        cloud.client("sqs").send_message(QueueUrl=cloud.outputs["QueueUrl"], MessageBody=body)

    assert api.ended(api.make("music among garbage"))["status"] == "completed"
    assert dead_letter(cloud, mark) in bodies
    tidy(cloud)


def test_a_message_of_an_unknown_or_an_ended_job_does_nothing(
    api: Caller, cloud: LocalCloud, song: View
) -> None:
    before = api.job(song["job_id"])
    for job_id in (str(uuid4()), "x" * 5000, song["job_id"], song["job_id"]):
        body = json.dumps({"job_id": job_id})
        cloud.client("sqs").send_message(QueueUrl=cloud.outputs["QueueUrl"], MessageBody=body)

    assert api.ended(api.make("something else"))["status"] == "completed"
    assert api.job(song["job_id"])["formats"] == before["formats"]
