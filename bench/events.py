"""What Lambda hands to a function, as API Gateway (REST) and SQS write it."""

import json
from dataclasses import dataclass
from typing import Any

PROMPT = {"prompt": "upbeat electronic dance music with heavy bass", "duration": 30, "genre": "electronic"}


@dataclass(frozen=True)
class Context:
    """As much of Lambda's context as a handler may read."""

    aws_request_id: str = "00000000-0000-4000-8000-000000000000"
    function_name: str = "bench"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:000000000000:function:bench"

    def get_remaining_time_in_millis(self) -> int:
        return 29_000


def post(
    nth: int, request: dict[str, Any] | None = None, headers: dict[str, str] | None = None
) -> dict[str, Any]:
    """`POST /generate` as curl sends it."""
    return _call("POST", "/generate", f"request-{nth}", json.dumps(request or PROMPT), headers)


def get(path: str) -> dict[str, Any]:
    return _call("GET", path, "request-get", None, None)


def _call(
    method: str, path: str, request_id: str, body: str | None, extra: dict[str, str] | None
) -> dict[str, Any]:
    headers = (
        (extra or {})
        | {
            "accept": "*/*",
            "Host": "abcdefghij.execute-api.us-east-1.amazonaws.com",
            "User-Agent": "curl/8.5.0",
            "X-Amzn-Trace-Id": "Root=1-5e66d96f-7491f09xmpl79d18acf3d050",
            "X-Forwarded-For": "203.0.113.7",
            "X-Forwarded-Port": "443",
            "X-Forwarded-Proto": "https",
        }
        | ({"content-type": "application/json"} if body else {})
    )
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": {"proxy": path.lstrip("/")},
        "stageVariables": None,
        "requestContext": _request_context(method, path, request_id),
        "body": body,
        "isBase64Encoded": False,
    }


def _request_context(method: str, path: str, request_id: str) -> dict[str, Any]:
    return {
        "accountId": "000000000000",
        "apiId": "abcdefghij",
        "domainName": "abcdefghij.execute-api.us-east-1.amazonaws.com",
        "httpMethod": method,
        "identity": {"sourceIp": "203.0.113.7", "userAgent": "curl/8.5.0"},
        "path": f"/v1{path}",
        "protocol": "HTTP/1.1",
        "requestId": request_id,
        "requestTimeEpoch": 1_790_000_000_000,
        "resourceId": "123456",
        "resourcePath": "/{proxy+}",
        "stage": "v1",
    }


def message(body: str, receipt: str, received: int = 1) -> dict[str, Any]:
    """One message of a queue, as its event source mapping delivers it."""
    return {
        "Records": [
            {
                "messageId": receipt[:36],
                "receiptHandle": receipt,
                "body": body,
                "attributes": {"ApproximateReceiveCount": str(received)},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:jobs",
                "awsRegion": "us-east-1",
            }
        ]
    }
