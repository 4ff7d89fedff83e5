"""The ledger on DynamoDB. TTL deletes late, so every read looks at the end itself."""

import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambdas.core.ports import Clock

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef


PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Seconds before a sum that somebody else is adding to is tried again: AWS's clients leave that to us."""


class DynamoLedger:
    """Implements ports.Ledger."""

    def __init__(
        self, client: "DynamoDBClient", table: str, clock: Clock = lambda: datetime.now(UTC)
    ) -> None:
        self._client = client
        self._table = table
        self._clock = clock

    def claim(self, key: str, value: str, until: datetime) -> str | None:
        try:
            self._client.put_item(
                TableName=self._table,
                Item=_entry(key, value, until),
                ConditionExpression="attribute_not_exists(#key) OR #ttl <= :now",
                ExpressionAttributeNames={"#key": "key", "#ttl": "ttl"},
                ExpressionAttributeValues={":now": {"N": _epoch(self._clock())}},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            item: dict[str, Any] = error.response.get("Item", {})  # type: ignore[assignment]
            return item["value"]["S"] if "value" in item else self.get(key) or ""
        return None

    def get(self, key: str) -> str | None:
        answer = self._client.get_item(TableName=self._table, Key={"key": {"S": key}}, ConsistentRead=True)
        item = answer.get("Item")
        if item is None or int(item["ttl"]["N"]) <= self._clock().timestamp():
            return None
        return item["total"]["N"] if "total" in item else item["value"]["S"]

    def put(self, key: str, value: str, until: datetime) -> None:
        self._client.put_item(TableName=self._table, Item=_entry(key, value, until))

    def add(self, keys: Sequence[str], amount: float, once: str, until: datetime) -> bool:
        items = [self._marker(once, until), *(self._sum(key, amount, until) for key in keys)]
        for pause in (*PAUSES, None):
            try:
                self._client.transact_write_items(TransactItems=items)
            except self._client.exceptions.TransactionCanceledException as error:
                codes = [reason.get("Code") for reason in error.response["CancellationReasons"]]
                if codes[0] == "ConditionalCheckFailed":
                    return False
                if pause is None or "TransactionConflict" not in codes:
                    raise
                time.sleep(pause * (0.5 + random.random()))  # nosec B311
            else:
                return True
        raise AssertionError("unreachable")

    def _marker(self, once: str, until: datetime) -> "TransactWriteItemTypeDef":
        return {
            "Put": {
                "TableName": self._table,
                "Item": _entry(once, "", until),
                "ConditionExpression": "attribute_not_exists(#key) OR #ttl <= :now",
                "ExpressionAttributeNames": {"#key": "key", "#ttl": "ttl"},
                "ExpressionAttributeValues": {":now": {"N": _epoch(self._clock())}},
            }
        }

    def _sum(self, key: str, amount: float, until: datetime) -> "TransactWriteItemTypeDef":
        return {
            "Update": {
                "TableName": self._table,
                "Key": {"key": {"S": key}},
                "UpdateExpression": "ADD #total :amount SET #ttl = :until",
                "ExpressionAttributeNames": {"#total": "total", "#ttl": "ttl"},
                "ExpressionAttributeValues": {
                    ":amount": {"N": f"{amount:.9f}"},
                    ":until": {"N": _epoch(until)},
                },
            }
        }


def _entry(key: str, value: str, until: datetime) -> dict[str, Any]:
    return {"key": {"S": key}, "value": {"S": value}, "ttl": {"N": _epoch(until)}}


def _epoch(at: datetime) -> str:
    return str(int(at.timestamp()))
