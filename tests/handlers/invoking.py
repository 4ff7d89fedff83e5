"""What Lambda hands to a handler, as API Gateway and SQS build it; and what comes back."""

import json
from dataclasses import dataclass
from typing import Any

Event = dict[str, Any]

REQUEST_ID = "5f3c1f0e-0000-4000-8000-gateway"
HOST = "cadenza.example"


@dataclass
class Context:
    """A function's context; `left_ms` is what is left of its time."""

    left_ms: int = 29_000
    aws_request_id: str = "5f3c1f0e-0000-4000-8000-function"
    function_name: str = "api"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:123456789012:function:api"

    def get_remaining_time_in_millis(self) -> int:
        return self.left_ms


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]  # by lower-case name
    body: Any  # parsed when it is JSON

    @classmethod
    def of(cls, raw: Event) -> "Answer":
        headers = {name.lower(): ", ".join(values) for name, values in raw["multiValueHeaders"].items()}
        json_ = headers.get("content-type", "").endswith("json") and raw["body"]
        return cls(raw["statusCode"], headers, json.loads(raw["body"]) if json_ else raw["body"])


def request(method: str, path: str, body: str | None = None, **headers: str) -> Event:
    """A REST API's proxy event, version 1. Underscores in header names stand for hyphens."""
    plain, _, query = path.partition("?")
    pairs = [pair.partition("=")[::2] for pair in query.split("&") if pair]
    sent = {"Host": HOST, "X-Forwarded-Proto": "https"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return {
        "resource": "/{proxy+}",
        "path": plain,
        "httpMethod": method,
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "queryStringParameters": dict(pairs) or None,
        "multiValueQueryStringParameters": {name: [value] for name, value in pairs} or None,
        "pathParameters": {"proxy": plain.strip("/")},
        "stageVariables": None,
        "requestContext": {
            "requestId": REQUEST_ID,
            "stage": "v1",
            "path": f"/v1{plain}",
            "httpMethod": method,
            "identity": {"sourceIp": "203.0.113.7"},
        },
        "body": body,
        "isBase64Encoded": False,
    }


def messages(*bodies: str, receives: int = 1) -> Event:
    """An SQS event; message n is `m-n` and its receipt `r-n`."""
    return {
        "Records": [
            {
                "messageId": f"m-{nth}",
                "receiptHandle": f"r-{nth}",
                "body": body,
                "attributes": {"ApproximateReceiveCount": str(receives)},
                "eventSource": "aws:sqs",
            }
            for nth, body in enumerate(bodies)
        ]
    }
