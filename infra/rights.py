"""What each function may do, and nothing else. Read it as the list it is; the tests hold its lines."""

from aws_cdk import Aws
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs

from infra.data import BY_OWNER, PENDING, Data
from infra.functions import Right
from infra.queues import Queues
from infra.stage import Stage


def api(data: Data, queues: Queues) -> list[Right]:
    return [
        _table("Jobs", data.jobs, "GetItem", "PutItem"),
        _indexes("ListJobs", data.jobs, BY_OWNER, PENDING),
        _table("Ledger", data.ledger, "GetItem", "PutItem", "UpdateItem"),
        _send("SubmitJobs", queues.jobs),
        _objects("Audio", data, ("audio",), "GetObject", "DeleteObject"),
        *([_secret("HearReplicate", data.replicate.webhook)] if data.replicate is not None else []),
        # A form can do what its signer may.
        _objects("Uploads", data, ("uploads",), "GetObject", "PutObject"),
    ]


def conductor(data: Data, queues: Queues) -> list[Right]:
    return [
        _table("Jobs", data.jobs, "GetItem", "PutItem", "DeleteItem"),
        _table("Ledger", data.ledger, "GetItem", "PutItem", "UpdateItem"),
        _consume("TakeJobs", queues.jobs),
        _send("CheckAgain", queues.jobs),
        _send("Announce", queues.deliveries),
        _objects("Audio", data, ("audio", "raw"), "GetObject", "PutObject", "DeleteObject"),
        _objects("Uploads", data, ("uploads",), "GetObject"),
        # S3 says 404 for an absent object only to who may list; to others it says 403.
        Right("TellAbsent", ["s3:ListBucket"], [data.audio_arn]),
        _secret("SignAudio", data.provenance),
        *([_secret("AskAceStep", data.acestep)] if data.acestep is not None else []),
        *([_secret("AskReplicate", data.replicate.token)] if data.replicate is not None else []),
        *_endpoint(data.stage),
    ]


def courier(data: Data, queues: Queues) -> list[Right]:
    return [
        _table("Jobs", data.jobs, "GetItem"),
        _consume("TakeDeliveries", queues.deliveries),
        _send("TryAgain", queues.deliveries),
        _objects("Audio", data, ("audio",), "GetObject"),
        _secret("SignDeliveries", data.webhook),
    ]


def janitor(data: Data, queues: Queues) -> list[Right]:
    return [
        _table("Jobs", data.jobs, "GetItem", "PutItem"),
        _indexes("FindOverdue", data.jobs, PENDING),
        _send("Resubmit", queues.jobs),
        Right("ReadDeadLetters", ["sqs:ReceiveMessage"], [queues.dead_jobs.queue_arn]),
    ]


def _endpoint(stage: Stage) -> list[Right]:
    if stage.endpoint is None:
        return []
    action = "InvokeEndpointAsync" if stage.endpoint.mode == "async" else "InvokeEndpoint"
    arn = f"arn:{Aws.PARTITION}:sagemaker:{Aws.REGION}:{Aws.ACCOUNT_ID}:endpoint/{stage.endpoint_name}"
    # Its runtime says the same of an endpoint that is being made and of none.
    return [Right("AskEndpoint", [f"sagemaker:{action}", "sagemaker:DescribeEndpoint"], [arn])]


def _table(name: str, table: dynamodb.Table, *actions: str) -> Right:
    return Right(name, [f"dynamodb:{action}" for action in actions], [table.table_arn])


def _indexes(name: str, table: dynamodb.Table, *indexes: str) -> Right:
    return Right(name, ["dynamodb:Query"], [f"{table.table_arn}/index/{index}" for index in indexes])


def _send(name: str, queue: sqs.Queue) -> Right:
    return Right(name, ["sqs:SendMessage"], [queue.queue_arn])


def _consume(name: str, queue: sqs.Queue) -> Right:
    actions = ("ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes")
    return Right(name, [f"sqs:{action}" for action in actions], [queue.queue_arn])


def _objects(name: str, data: Data, folders: tuple[str, ...], *actions: str) -> Right:
    resources = [f"{data.audio_arn}/{folder}/*" for folder in folders]
    return Right(name, [f"s3:{action}" for action in actions], resources)


def _secret(name: str, secret: secretsmanager.Secret) -> Right:
    return Right(name, ["secretsmanager:GetSecretValue"], [secret.secret_arn])
