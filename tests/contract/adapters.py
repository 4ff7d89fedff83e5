"""Every port's adapters side by side: in memory, and on AWS's services as an emulator plays them."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import uuid4

import botocore.session
import urllib3
from botocore.config import Config

from lambdas.aws import clients
from lambdas.aws.jobs import DynamoJobs
from lambdas.aws.ledger import DynamoLedger
from lambdas.aws.objects import S3Objects
from lambdas.aws.queues import SqsDeadLetters, SqsQueue
from lambdas.core.ports import DeadLetters, Form, Inbox, JobIndex, JobStore, Ledger, Links, ObjectStore, Queue
from local import REGION
from local.emulator import KEY, Emulator
from tests.fakes.examples import NOW
from tests.fakes.queues import MemoryDeadLetters, MemoryQueue
from tests.fakes.stores import MemoryJobs, MemoryLedger, MemoryObjects, Time


class Table(JobStore, JobIndex, Protocol):
    """The job table, by id and by other orders."""


class Bucket(ObjectStore, Links, Inbox, Protocol):
    """Files, addresses of files, and forms for files."""


@dataclass(frozen=True)
class Adapters:
    """One adapter of each port, and what the world on its other side does."""

    time: Time  # moves the ledger's clock
    jobs: Table
    ledger: Ledger
    queue: Queue
    dead: DeadLetters
    objects: Bucket
    receive: Callable[[], Sequence[str]]  # bodies of the messages that are due; each is delivered once
    bury: Callable[[str], object]  # makes a dead letter of a body
    fetch: Callable[[str], bytes | None]  # GET a link
    send: Callable[[str, bytes], bool]  # PUT to a link
    post: Callable[[Form, bytes], bool]  # a file by a form
    store: Callable[[str, str], object]  # another document in a job's row, as another version would write it


def in_memory() -> Adapters:
    time = Time(NOW)
    jobs, queue, objects = MemoryJobs(), MemoryQueue(time), MemoryObjects(time)
    dead = MemoryDeadLetters()

    def receive() -> list[str]:
        bodies = []
        while letter := queue.receive():
            queue.done(letter)
            bodies.append(letter.body)
        return bodies

    return Adapters(
        time=time,
        jobs=jobs,
        ledger=MemoryLedger(time),
        queue=queue,
        dead=dead,
        objects=objects,
        receive=receive,
        bury=dead.bodies.append,
        fetch=objects.fetch,
        send=objects.send,
        post=objects.post,
        store=jobs.documents.__setitem__,
    )


def on_aws(dynamodb: Any, sqs: Any, s3: Any) -> Adapters:
    """Fresh tables, queues and bucket."""
    time, name = Time(NOW), f"contract-{uuid4().hex[:8]}"
    _make_tables(dynamodb, name)
    queue, dead = (sqs.create_queue(QueueName=f"{name}-{kind}")["QueueUrl"] for kind in ("jobs", "dead"))
    s3.create_bucket(Bucket=name)

    def receive() -> list[str]:
        bodies = []
        while found := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                bodies.append(message["Body"])
        return bodies

    def store(job_id: str, document: str) -> None:
        dynamodb.update_item(
            TableName=f"{name}-jobs",
            Key={"job_id": {"S": job_id}},
            UpdateExpression="SET document = :other",
            ExpressionAttributeValues={":other": {"S": document}},
        )

    return Adapters(
        time=time,
        jobs=DynamoJobs(dynamodb, f"{name}-jobs"),
        ledger=DynamoLedger(dynamodb, f"{name}-ledger", time),
        queue=SqsQueue(sqs, queue),
        dead=SqsDeadLetters(sqs, dead),
        objects=S3Objects(s3, name),
        receive=receive,
        bury=lambda body: sqs.send_message(QueueUrl=dead, MessageBody=body),
        fetch=_get,
        send=_put,
        post=_post,
        store=store,
    )


def client(emulator: Emulator, service: str) -> Any:
    """A client as the functions make theirs, pointed at the emulator."""
    config = clients.S3_CONFIG if service == "s3" else clients.CONFIG
    return botocore.session.get_session().create_client(
        service,
        region_name=REGION,
        endpoint_url=emulator.endpoint,
        aws_access_key_id=KEY,
        aws_secret_access_key=KEY,
        config=config.merge(Config(proxies={}, s3={"addressing_style": "path"})),
    )


def _make_tables(dynamodb: Any, name: str) -> None:
    """As the data stack makes them."""
    indexes = [
        _index("by_owner", "owner", "created", {"ProjectionType": "ALL"}),
        _index("pending", "pending", "due_at", {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["status"]}),
    ]
    _make_table(dynamodb, f"{name}-jobs", "job_id", indexes)
    _make_table(dynamodb, f"{name}-ledger", "key", [])


def _make_table(dynamodb: Any, name: str, key: str, indexes: list[dict[str, Any]]) -> None:
    keys = {key, *(part["AttributeName"] for index in indexes for part in index["KeySchema"])}
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in sorted(keys)],
        **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
    )


def _index(name: str, partition: str, order: str, projection: dict[str, Any]) -> dict[str, Any]:
    keys = [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": order, "KeyType": "RANGE"},
    ]
    return {"IndexName": name, "KeySchema": keys, "Projection": projection}


def _get(link: str) -> bytes | None:
    answer = urllib3.request("GET", link, retries=False)
    return answer.data if answer.status == 200 else None


def _put(link: str, data: bytes) -> bool:
    with suppress(urllib3.exceptions.HTTPError):
        return urllib3.request("PUT", link, body=data, retries=False).status == 200
    return False


def _post(form: Form, data: bytes) -> bool:
    file = ("file", ("a name.wav", data, "text/html"))  # the type that counts is the form's own
    answer = urllib3.request("POST", form.url, fields=[*form.fields.items(), file], retries=False)
    return answer.status == 204
