"""The whole path with every IAM policy enforced, and what each function's role cannot do.

A role is put on with STS, as its function does; the emulated cloud, unlike AWS, lets the account do that.
"""

import json
import time
from collections.abc import Iterator
from functools import cache
from typing import Any

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError

from local import REGION
from local.cloud import LocalCloud
from tests.local.caller import Caller, View
from tests.local.test_uploads import blended, offered, send, uploaded
from tests.unit.recordings import bare_wav

HOOK = "https://hooks.invalid/cadenza"  # public by its looks, nowhere by its name
LOOKS = 100
PAUSE = 0.2  # seconds
REFUSALS = ("AccessDenied", "AccessDeniedException")

ROW = {"job_id": {"S": "x"}}
ENTRY = {"key": {"S": "x"}}
SONG = {"Bucket": "MusicBucketName", "Key": "audio/1d/x/x.wav"}
RAW = {"Bucket": "MusicBucketName", "Key": "raw/x/1"}
UPLOAD = {"Bucket": "MusicBucketName", "Key": "uploads/x/x"}
ELSEWHERE = {"Bucket": "MusicBucketName", "Key": "elsewhere"}
PAGE = {"Bucket": "SiteBucketName", "Key": "index.html"}
PROVENANCE, WEBHOOK = {"SecretId": "ProvenanceSecretName"}, {"SecretId": "WebhookSecretName"}
JOBS, LEDGER = {"TableName": "TableName"}, {"TableName": "LedgerTableName"}
QUEUE, DELIVERIES = {"QueueUrl": "QueueUrl"}, {"QueueUrl": "DeliveriesQueueUrl"}
DEAD = {"QueueUrl": "DeadLetterQueueUrl"}

ALLOWED = [
    ("api", "dynamodb", "get_item", JOBS | {"Key": ROW}),
    ("api", "s3", "delete_object", SONG),
    ("api", "s3", "put_object", UPLOAD | {"Body": b"", "ContentType": "audio/wav"}),
    ("api", "s3", "head_object", UPLOAD),
    ("conductor", "s3", "get_object", UPLOAD),
    ("conductor", "s3", "put_object", RAW | {"Body": b""}),
    ("conductor", "secretsmanager", "get_secret_value", PROVENANCE),
    ("courier", "dynamodb", "get_item", JOBS | {"Key": ROW}),
    ("courier", "secretsmanager", "get_secret_value", WEBHOOK),
    ("janitor", "dynamodb", "get_item", JOBS | {"Key": ROW}),
]
DENIED = [
    ("api", "s3", "put_object", SONG | {"Body": b""}),
    ("api", "s3", "get_object", RAW),
    ("api", "s3", "put_object", RAW | {"Body": b""}),
    ("api", "s3", "delete_object", UPLOAD),
    ("conductor", "s3", "put_object", UPLOAD | {"Body": b""}),
    ("conductor", "s3", "delete_object", UPLOAD),
    ("courier", "s3", "get_object", UPLOAD),
    ("api", "s3", "list_objects_v2", {"Bucket": "MusicBucketName"}),
    ("api", "s3", "get_object", PAGE),
    ("api", "dynamodb", "delete_item", JOBS | {"Key": ROW}),
    ("api", "dynamodb", "scan", JOBS),
    ("api", "dynamodb", "delete_item", LEDGER | {"Key": ENTRY}),
    ("api", "sqs", "receive_message", QUEUE),
    ("api", "sqs", "send_message", DELIVERIES | {"MessageBody": "x"}),
    ("api", "secretsmanager", "get_secret_value", PROVENANCE),
    ("api", "secretsmanager", "get_secret_value", WEBHOOK),
    ("conductor", "s3", "put_object", ELSEWHERE | {"Body": b""}),
    ("conductor", "s3", "put_object", PAGE | {"Body": b""}),
    ("conductor", "s3", "delete_bucket", {"Bucket": "MusicBucketName"}),
    ("conductor", "dynamodb", "scan", JOBS),
    ("conductor", "dynamodb", "delete_item", LEDGER | {"Key": ENTRY}),
    ("conductor", "sqs", "receive_message", DELIVERIES),
    ("conductor", "sqs", "purge_queue", QUEUE),
    ("conductor", "secretsmanager", "get_secret_value", WEBHOOK),
    ("conductor", "secretsmanager", "put_secret_value", PROVENANCE | {"SecretString": "{}"}),
    ("courier", "dynamodb", "put_item", JOBS | {"Item": ROW}),
    ("courier", "dynamodb", "get_item", LEDGER | {"Key": ENTRY}),
    ("courier", "s3", "put_object", SONG | {"Body": b""}),
    ("courier", "s3", "delete_object", SONG),
    ("courier", "sqs", "send_message", QUEUE | {"MessageBody": "x"}),
    ("courier", "secretsmanager", "get_secret_value", PROVENANCE),
    ("janitor", "dynamodb", "delete_item", JOBS | {"Key": ROW}),
    ("janitor", "dynamodb", "get_item", LEDGER | {"Key": ENTRY}),
    ("janitor", "s3", "get_object", SONG),
    ("janitor", "s3", "delete_object", SONG),
    ("janitor", "sqs", "receive_message", QUEUE),
    ("janitor", "sqs", "delete_message", DEAD | {"ReceiptHandle": "x"}),
    ("janitor", "secretsmanager", "get_secret_value", WEBHOOK),
]  # fmt: skip


@pytest.fixture(scope="module")
def api(enforcing_cloud: LocalCloud) -> Iterator[Caller]:
    with Caller(enforcing_cloud.api_url) as caller:
        yield caller


@cache
def function(cloud: LocalCloud, name: str) -> View:
    """A function's configuration, by the module that it runs."""
    functions = cloud.client("lambda").list_functions()["Functions"]
    found: View = next(each for each in functions if each["Handler"] == f"lambdas.{name}.handler")
    return found


@cache
def as_role(cloud: LocalCloud, name: str, service: str) -> Any:
    """A client of this service with the rights of this function."""
    role = function(cloud, name)["Role"]
    worn = cloud.client("sts").assume_role(RoleArn=role, RoleSessionName="probe")["Credentials"]
    session: Any = boto3.Session(
        worn["AccessKeyId"], worn["SecretAccessKey"], worn["SessionToken"], region_name=REGION
    )
    return session.client(service, endpoint_url=cloud.endpoint)


def attempt(cloud: LocalCloud, name: str, service: str, action: str, parameters: View) -> None:
    """Try it for real; parameters that name an output of the stacks stand for its value."""
    real = {
        key: cloud.outputs.get(value, value) if isinstance(value, str) else value
        for key, value in parameters.items()
    }
    getattr(as_role(cloud, name, service), action)(**real)


@pytest.mark.parametrize(("name", "service", "action", "parameters"), ALLOWED)
def test_a_function_may_do_its_work(
    enforcing_cloud: LocalCloud, name: str, service: str, action: str, parameters: View
) -> None:
    attempt(enforcing_cloud, name, service, action, parameters)


@pytest.mark.parametrize(("name", "service", "action", "parameters"), DENIED)
def test_a_function_may_do_nothing_else(
    enforcing_cloud: LocalCloud, name: str, service: str, action: str, parameters: View
) -> None:
    with pytest.raises(ClientError) as refusal:
        attempt(enforcing_cloud, name, service, action, parameters)

    assert refusal.value.response["Error"]["Code"] in REFUSALS


def test_two_uploads_are_blended_with_every_policy_enforced_and_no_other_form_is_good(api: Caller) -> None:
    data = bare_wav()
    small, large = (offered(api, data[:size]) for size in (10, len(data)))
    forged = {**small, "fields": {**small["fields"], "policy": large["fields"]["policy"]}}

    assert send(forged, data).status_code == 403
    track = uploaded(api, data)
    job = api.ended(blended(api, [track, track], duration=1).json())

    assert (job["status"], job["error"]) == ("completed", None)


def test_a_song_is_made_heard_renamed_and_deleted_with_every_policy_enforced(api: Caller) -> None:
    job = api.ended(api.make("permitted", seed=7))
    address = f"/jobs/{job['job_id']}"

    assert job["status"] == "completed"
    assert all(file["signed"] == (name != "ogg") for name, file in job["formats"].items())
    assert _reads(api.http.get(f"{address}/audio?format=mp3").headers["location"])
    assert _reads(job["peaks_url"])
    assert job["job_id"] in [each["job_id"] for each in api.http.get("/jobs").json()["jobs"]]
    assert api.http.patch(address, json={"title": "Allowed"}).status_code == 200
    assert api.ended(api.make("permitted", seed=7))["cached"]
    assert api.http.post(f"/jobs/{api.make('[[slow:9]]')['job_id']}/cancel").status_code == 202
    assert api.http.delete(address).status_code == 204
    assert api.http.get(address).status_code == 404
    assert not _reads(job["audio_url"])


def test_repeated_tries_and_remembered_keys_are_permitted(api: Caller) -> None:
    headers = {"Idempotency-Key": "enforced"}
    first = api.generate("[[fail:1]] rain", headers)

    assert api.generate("[[fail:1]] rain", headers).content == first.content
    assert api.ended(first.json())["status"] == "completed"


def test_the_janitor_may_make_its_round(enforcing_cloud: LocalCloud) -> None:
    name = function(enforcing_cloud, "janitor")["FunctionName"]

    answer = enforcing_cloud.client("lambda").invoke(FunctionName=name, Payload=b"{}")

    assert "FunctionError" not in answer
    assert json.loads(answer["Payload"].read()).keys() == {"reminded", "ended", "buried"}


def test_the_courier_may_deliver(enforcing_cloud: LocalCloud, api: Caller) -> None:
    job = api.ended(api.make("tell me", webhook_url=HOOK))

    tried = _logged(enforcing_cloud, "courier", job["job_id"])

    assert (tried["message"], tried["level"]) == ("delivery", "INFO")


def _reads(url: str) -> bool:
    return httpx.get(url, trust_env=False).status_code == 200


def _logged(cloud: LocalCloud, name: str, job_id: str) -> View:
    """The first line that this function logs of a job."""
    group = function(cloud, name)["LoggingConfig"]["LogGroup"]
    for _ in range(LOOKS):
        events = cloud.client("logs").filter_log_events(logGroupName=group)["events"]
        lines = [event["message"] for event in events if job_id in event["message"]]
        if lines:
            line: View = json.loads(lines[0])
            return line
        time.sleep(PAUSE)
    raise AssertionError(f"{name} never spoke of {job_id}")
