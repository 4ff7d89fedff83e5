"""The job table on DynamoDB: conditional writes by id, and two indexes that a scan is never needed for.

A row is the job as one JSON document beside the few attributes that conditions, indexes and filters need.
`pending` and `due_at` exist only while a job is unsettled, so that index stays as small as the backlog.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zlib import crc32

from botocore.exceptions import ClientError

from lambdas.core.errors import Conflict
from lambdas.core.jobs import Filter, Job
from lambdas.core.ports import Page

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

log = logging.getLogger(__name__)

SHARDS = 2  # of the pending index: each takes some 140 jobs a second, and a position asks them all
READ_AT_ONCE = 50  # rows of an owner per query
READS = 10  # queries for one page; a page may then be short and still have a next
KEY_LIMIT = 2048  # bytes of a partition key; of a longer one DynamoDB complains
COUNT_LIMIT = 250  # queued jobs counted per shard when a position is asked for

Row = Mapping[str, Any]


def _moment(at: datetime) -> str:
    """Sorts as text in the order of time."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _row(job: Job) -> dict[str, Any]:
    row: dict[str, Any] = {
        "job_id": {"S": job.job_id},
        "version": {"N": str(job.version)},
        "owner": {"S": job.owner},
        "created": {"S": _moment(job.created_at)},
        "status": {"S": job.status.value},
        "favourite": {"BOOL": job.favourite},
        "deleted": {"BOOL": job.deleted},
        "ttl": {"N": str(int(job.expires_at.timestamp()))},
        "document": {"S": job.model_dump_json(exclude_defaults=True)},
    }
    if job.due_at is not None:
        row["pending"] = {"S": str(crc32(job.job_id.encode()) % SHARDS)}
        row["due_at"] = {"S": _moment(job.due_at)}
    return row


def _job(row: Row) -> Job:
    return Job.read(row["document"]["S"])


def _readable(rows: Sequence[Row]) -> Iterator[Job]:
    """What cannot be read is one job's misfortune, not that of all of its owner's."""
    for row in rows:
        try:
            yield _job(row)
        except ValueError as error:
            log.error("job %s cannot be read: %s", row["job_id"]["S"], error)


class DynamoJobs:
    """Implements ports.JobStore and ports.JobIndex."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def insert(self, job: Job) -> bool:
        try:
            self._client.put_item(
                TableName=self._table, Item=_row(job), ConditionExpression="attribute_not_exists(job_id)"
            )
        except ClientError as error:
            if _lost_race(error):
                return False
            raise
        return True

    def get(self, job_id: str) -> Job | None:
        if not 0 < len(job_id.encode("utf-8", "replace")) <= KEY_LIMIT:
            return None
        answer = self._client.get_item(
            TableName=self._table, Key={"job_id": {"S": job_id}}, ConsistentRead=True
        )
        return _job(answer["Item"]) if "Item" in answer else None

    def replace(self, job: Job) -> Job:
        following = job.but(version=job.version + 1)
        try:
            self._client.put_item(TableName=self._table, Item=_row(following), **_at_version(job))
        except ClientError as error:
            if _lost_race(error):
                raise Conflict(job.job_id) from error
            raise
        return following

    def remove(self, job: Job) -> None:
        condition = _at_version(job)
        condition["ConditionExpression"] += " OR attribute_not_exists(job_id)"
        try:
            self._client.delete_item(TableName=self._table, Key={"job_id": {"S": job.job_id}}, **condition)
        except ClientError as error:
            if _lost_race(error):
                raise Conflict(job.job_id) from error
            raise

    def owned_by(
        self,
        owner: str,
        limit: int,
        after: tuple[str, ...] | None,
        status: Filter | None,
        favourite: bool | None,
    ) -> Page:
        """Reads on until the page is full or enough was read: a filter drops rows only after reading them."""
        query = _owner_query(self._table, owner, status, favourite)
        query["Limit"] = max(READ_AT_ONCE, limit + 1)
        found: list[Row] = []
        start: Row | None = _start_key(owner, after)
        for _ in range(READS):
            if start is not None:
                query["ExclusiveStartKey"] = start
            answer = self._client.query(**query)
            found += answer["Items"]
            start = answer.get("LastEvaluatedKey")
            if start is None or len(found) > limit:
                break
        page = found[:limit]
        last = page[-1] if len(found) > limit else start
        following = (last["created"]["S"], last["job_id"]["S"]) if last else None
        return Page(tuple(_readable(page)), following)

    def overdue(self, now: datetime, limit: int) -> Sequence[str]:
        ids: list[str] = []
        for shard in range(SHARDS):
            answer = self._client.query(**self._pending(shard, now), Limit=max(1, limit // SHARDS))
            ids += [row["job_id"]["S"] for row in answer["Items"]]
        return ids

    def queued_before(self, job: Job) -> int:
        if job.due_at is None:
            return 0
        return sum(self._queued(shard, job.due_at) for shard in range(SHARDS))

    def _queued(self, shard: int, before: datetime) -> int:
        query = self._pending(shard, before)
        query["ExpressionAttributeNames"] = {"#status": "status"}
        query["ExpressionAttributeValues"][":queued"] = {"S": "queued"}
        answer = self._client.query(
            **query, FilterExpression="#status = :queued", Select="COUNT", Limit=COUNT_LIMIT
        )
        return answer["Count"]

    def _pending(self, shard: int, before: datetime) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "IndexName": "pending",
            "KeyConditionExpression": "pending = :shard AND due_at < :before",
            "ExpressionAttributeValues": {":shard": {"S": str(shard)}, ":before": {"S": _moment(before)}},
        }


def _owner_query(table: str, owner: str, status: Filter | None, favourite: bool | None) -> dict[str, Any]:
    filters, values = ["deleted = :no"], {":owner": {"S": owner}, ":no": {"BOOL": False}}
    names = {"#owner": "owner"}
    if status is not None:
        filters.append("#status = :status")
        names["#status"] = "status"
        values[":status"] = {"S": status}
    if favourite is not None:
        filters.append("favourite = :favourite")
        values[":favourite"] = {"BOOL": favourite}
    return {
        "TableName": table,
        "IndexName": "by_owner",
        "KeyConditionExpression": "#owner = :owner",
        "FilterExpression": " AND ".join(filters),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
        "ScanIndexForward": False,
    }


def _start_key(owner: str, after: tuple[str, ...] | None) -> dict[str, Any] | None:
    if after is None:
        return None
    created, job_id = after
    return {"owner": {"S": owner}, "created": {"S": created}, "job_id": {"S": job_id}}


def _at_version(job: Job) -> dict[str, Any]:
    return {
        "ConditionExpression": "version = :version",
        "ExpressionAttributeValues": {":version": {"N": str(job.version)}},
    }


def _lost_race(error: ClientError) -> bool:
    return error.response["Error"]["Code"] == "ConditionalCheckFailedException"
