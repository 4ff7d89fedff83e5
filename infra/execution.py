"""What an endpoint's container is run as: its image, its weights, and the role with the rights to both.

The container itself uses none of these rights: songs go in and out by presigned addresses. SageMaker does,
to start it, to keep its log, and in `async` to read requests, store answers and tell of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import Aws
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.assets import ROOT
from infra.data import Data
from infra.functions import Right
from infra.hosting import ARCHIVE, Hosting
from infra.notices import Notices
from infra.rules import accept
from lambdas.settings import ENDPOINT_REQUESTS

ANSWERS = "raw/endpoint-answers"
FAILURES = "raw/endpoint-failures"
"""Below `raw/`, which the conductor may read, and where nothing lives for longer than a day."""

OURS = f"arn:{Aws.PARTITION}:sagemaker:{Aws.REGION}:{Aws.ACCOUNT_ID}:*"

PULL = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability")
# The stack makes the log's group itself; CreateLogGroup is on AWS's list of what the role must have:
# https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html#sagemaker-roles-createmodel-perms
LOG = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents")


@dataclass(frozen=True)
class Image:
    uri: str
    repository_arn: str


def image(scope: Construct, hosting: Hosting) -> Image:
    """The one in ECR that the stage names, or ours, built when the stack is deployed."""
    if hosting.image is not None:
        registry, _, path = hosting.image.partition("/")
        account, _, _, region, *_ = registry.split(".")
        name = path.partition("@")[0].partition(":")[0]
        return Image(hosting.image, f"arn:{Aws.PARTITION}:ecr:{region}:{account}:repository/{name}")
    asset = ecr_assets.DockerImageAsset(
        scope,
        "Image",
        directory=str(ROOT),
        file="model_container/Dockerfile",
        target="cuda" if hosting.cuda else "cpu",
        platform=ecr_assets.Platform.LINUX_AMD64,
    )
    return Image(asset.image_uri, asset.repository.repository_arn)


@dataclass(frozen=True)
class Weights:
    """A packed folder in S3: `path` is its prefix in the bucket, with a slash at its end, or its archive."""

    bucket: str
    arn: str
    path: str
    finding: str
    """The ARN as the rules' findings spell it."""

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.path}"

    @property
    def archived(self) -> bool:
        return self.path.endswith(ARCHIVE)

    @property
    def files(self) -> str:
        """Their keys, as policies say it."""
        return self.path if self.archived else f"{self.path}*"


def weights(hosting: Hosting, data: Data) -> Weights:
    """Those that the stage names, or the model's in the stage's own bucket."""
    if hosting.weights is not None:
        bucket, _, path = hosting.weights.removeprefix("s3://").partition("/")
        return Weights(
            bucket, f"arn:{Aws.PARTITION}:s3:::{bucket}", path, f"arn:<AWS::Partition>:s3:::{bucket}"
        )
    if data.weights is None:
        raise ValueError("the data stack has no bucket of weights, and the stage names none")
    arn = data.export_value(data.weights.bucket_arn, name=data.weights_export)
    return Weights(data.weights.bucket_name, arn, hosting.weights_path, data.weights_export)


def execution_role(
    scope: Construct, endpoint: str, its_image: Image, its_weights: Weights, others: Sequence[Right] = ()
) -> iam.Role:
    """Its policy is part of it, so that it may all that it may when SageMaker first looks."""
    group = f"log-group:/aws/sagemaker/Endpoints/{endpoint}"
    log = f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:{group}"
    listing = iam.PolicyStatement(
        sid="FindWeights",
        actions=["s3:ListBucket"],
        resources=[its_weights.arn],
        conditions={"StringLike": {"s3:prefix": its_weights.files}},
    )
    rights = [
        Right("ReadWeights", ["s3:GetObject"], [f"{its_weights.arn}/{its_weights.files}"]),
        Right("PullImage", PULL, [its_image.repository_arn]),
        Right("EnterRegistry", ["ecr:GetAuthorizationToken"], ["*"]),
        Right("KeepLog", LOG, [log, f"{log}:log-stream:*"]),
        *others,
    ]
    role = _role(scope, [listing, *(_statement(right) for right in rights)])
    _accept(role, "*", "Logging in to ECR is an action that knows no resources.")
    if not its_weights.archived:
        finding = f"{its_weights.finding}/{its_weights.files}"
        _accept(role, finding, "A model is all files below its prefix.")
    streams = f"arn:<AWS::Partition>:logs:<AWS::Region>:<AWS::AccountId>:{group}:log-stream:*"
    _accept(role, streams, "SageMaker names the streams of the log by itself.")
    return role


def _statement(right: Right) -> iam.PolicyStatement:
    return iam.PolicyStatement(sid=right.name, actions=list(right.actions), resources=list(right.resources))


def _role(scope: Construct, statements: Sequence[iam.PolicyStatement]) -> iam.Role:
    return iam.Role(
        scope,
        "Role",
        # For whatever of this account: AWS asks not to name one model or endpoint here.
        # https://docs.aws.amazon.com/sagemaker/latest/dg/security-confused-deputy-prevention.html
        assumed_by=iam.ServicePrincipal(
            "sagemaker.amazonaws.com", conditions={"ArnLike": {"aws:SourceArn": OURS}}
        ),
        inline_policies={"Endpoint": iam.PolicyDocument(statements=list(statements))},
    )


def answering(data: Data, notices: Notices) -> list[Right]:
    """What SageMaker does with an asynchronous request and the container's answer to it."""
    folders = [f"{data.audio_arn}/{folder}/*" for folder in (ANSWERS, FAILURES)]
    topics = [notices.success.topic_arn, notices.error.topic_arn]
    return [
        Right("ReadRequests", ["s3:GetObject"], [f"{data.audio_arn}/{ENDPOINT_REQUESTS}/*"]),
        Right("StoreAnswers", ["s3:PutObject"], folders),
        Right("TellOfAnswers", ["sns:Publish"], topics),
    ]


def accept_answers(role: iam.Role, data: Data) -> None:
    for folder in (ENDPOINT_REQUESTS, ANSWERS, FAILURES):
        _accept(role, f"{data.audio_export}/{folder}/*", "Each song has files of its own.")


def _accept(role: iam.Role, resource: str, reason: str) -> None:
    accept(role, f"IAM5[Resource::{resource}]", reason)
