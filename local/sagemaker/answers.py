"""How SageMaker answers: a status, headers and a body, and the errors of its two APIs.

The shapes are those of botocore's models of `sagemaker-runtime` and `sagemaker`. The wording of a model's
errors is AWS's, as people quote it when they meet it.
"""

import json

from local import ACCOUNT, REGION

Answer = tuple[int, dict[str, str], bytes]

LOGS = f"https://{REGION}.console.aws.amazon.com/cloudwatch/home?region={REGION}#logEventViewer:group="
TIMED_OUT = (
    "Your invocation timed out while waiting for a response from container primary. Review the latency "
    "metrics for each container in Amazon CloudWatch, resolve the issue, and try again."
)


class Refusal(Exception):
    """An error of the service, as its caller's SDK will understand it.

    `code` None leaves the SDK with the status alone, as AWS does before a request reaches the service.
    """

    def __init__(self, status: int, code: str | None, message: str, **details: object) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.details = status, code, message, details

    def answer(self) -> Answer:
        headers = {"Content-Type": "application/json"}
        body = {"message": self.message, "Message": self.message, **self.details}
        if self.code is not None:
            headers["x-amzn-ErrorType"] = self.code
            body["__type"] = self.code
        return self.status, headers, json.dumps(body).encode()


def invalid(message: str) -> Refusal:
    return Refusal(400, "ValidationError", message)


def unknown_endpoint(name: str) -> Refusal:
    return invalid(f"Endpoint {name} of account {ACCOUNT} not found.")


def too_long(limit: int) -> Refusal:
    return Refusal(413, None, f"HTTP content length exceeded {limit} bytes.")


def throttled() -> Refusal:
    return Refusal(429, "ThrottlingException", "Rate exceeded")


def not_ready(name: str) -> Refusal:
    return Refusal(429, "ModelNotReadyException", f"No container stands behind {name} on this machine.")


def model_error(endpoint: str, status: int, message: str) -> Refusal:
    """The container answered badly (its status), or not at all (0)."""
    kind = "client" if 400 <= status < 500 else "server"
    group = f"/aws/sagemaker/Endpoints/{endpoint}"
    told = (
        f'Received {kind} error ({status}) from primary with message "{message}". '
        f"See {LOGS}{group} in account {ACCOUNT} for more information."
    )
    return Refusal(
        424,
        "ModelError",
        told,
        OriginalStatusCode=status,
        OriginalMessage=message,
        ErrorCode="CLIENT_ERROR_FROM_MODEL" if kind == "client" else "INTERNAL_FAILURE_FROM_MODEL",
        LogStreamArn=f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}",
    )
