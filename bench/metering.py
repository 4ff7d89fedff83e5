"""What a piece of work asks of AWS, counted at botocore's own hooks: every call, and what it is billed as."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from bench import prices

Item = Mapping[str, Mapping[str, Any]]  # as DynamoDB's JSON has it
INDEX_KEYS = ("pending", "due_at", "status")  # what the index of pending jobs holds beside the ids


@dataclass
class Meter:
    """Counts calls and adds up dollars. Hook `before_call` to botocore's event of that name."""

    calls: Counter[str] = field(default_factory=Counter)
    usd: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    items: dict[str, Item] = field(default_factory=dict)

    def before_call(self, model: Any, params: Mapping[str, Any], **_: object) -> None:
        service, operation = str(model.service_model.service_name), str(model.name)
        self.calls[f"{service}.{operation}"] += 1
        if service == "dynamodb":
            self.usd["dynamodb"] += self._dynamodb(operation, json.loads(params["body"]))
        elif service == "sqs":
            self.usd["sqs"] += prices.SQS_REQUEST
        elif service == "s3":
            self.usd["s3"] += _s3(operation)

    def sent(self, service: str, operation: str, usd: float) -> None:
        """A billed request that botocore does not make: a presigned address used, a queue polled for us."""
        self.calls[f"{service}.{operation}"] += 1
        self.usd[service] += usd

    def _dynamodb(self, operation: str, body: Mapping[str, Any]) -> float:
        if operation == "TransactWriteItems":
            return 2 * prices.DYNAMODB_WRITE * len(body["TransactItems"])
        key = f"{body['TableName']}/{_key(body.get('Item') or body.get('Key') or {})}"
        if operation == "Query":
            return prices.DYNAMODB_READ / 2  # eventually consistent, within 4 KB
        if operation == "GetItem":
            return prices.DYNAMODB_READ * max(1, ceil(_size(self.items.get(key, {})) / 4096))
        before, after = self.items.get(key, {}), body.get("Item", {})
        self.items[key] = after
        return prices.DYNAMODB_WRITE * _write_units(before, after)


def _write_units(before: Item, after: Item) -> int:
    """Of the table, the index by owner, which holds whole rows, and the index of pending jobs."""
    kilobytes = max(1, ceil(max(_size(before), _size(after)) / 1024))
    if not any("owner" in item for item in (before, after)):
        return kilobytes  # the ledger has no index
    held, wanted = ([item.get(name) for name in INDEX_KEYS] for item in (before, after))
    moved = held[:2] != wanted[:2]
    pending = sum(entry[0] is not None for entry in (held, wanted)) if moved else int(held != wanted)
    return 2 * kilobytes + pending


def _size(item: Item) -> int:
    """Bytes as DynamoDB counts them, near enough: names and values in UTF-8."""
    values = (str(next(iter(value.values()))) for value in item.values())
    return len("".join([*item, *values]).encode())


def _key(item: Item) -> str:
    found = item.get("job_id") or item.get("key") or {}
    return str(found.get("S", ""))


def _s3(operation: str) -> float:
    if operation.startswith("Delete"):
        return 0.0
    return prices.S3_PUT if operation in ("PutObject", "CopyObject") else prices.S3_GET
