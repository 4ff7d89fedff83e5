"""One Python function, the same way each time: tracing, JSON logs that expire, and a role of its own.

A role starts with nothing but its log group and the trace; every other right is a `Right` with a name.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import AssetHashType, Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.assets import Bundle, architecture, build
from infra.rules import accept
from infra.stage import Stage
from lambdas.settings import Settings

LOG_DAYS = {
    1: logs.RetentionDays.ONE_DAY,
    3: logs.RetentionDays.THREE_DAYS,
    5: logs.RetentionDays.FIVE_DAYS,
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    60: logs.RetentionDays.TWO_MONTHS,
    90: logs.RetentionDays.THREE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
}

TESTED_PYTHON = "The audio wheels are tested for Python 3.13, which Lambda supports until 2029."
TRACES = "X-Ray's two write actions know no resources."


@dataclass(frozen=True)
class Right:
    """Actions on resources (ARNs), under a name that the policy shows."""

    name: str
    actions: Sequence[str]
    resources: Sequence[str]


Rights = Sequence[Right]


@dataclass(frozen=True)
class Shape:
    """How big a function is. `seconds` is its timeout."""

    bundle: Bundle
    handler: str
    seconds: int
    memory_mb: int


def log_group(scope: Construct, id: str, stage: Stage) -> logs.LogGroup:
    # Logs end with the stack in every stage: they are kept for `log_days`, not for good.
    return logs.LogGroup(scope, id, retention=LOG_DAYS[stage.log_days], removal_policy=RemovalPolicy.DESTROY)


class PythonFunction(Construct):
    def __init__(
        self, scope: Construct, id: str, *, stage: Stage, shape: Shape, settings: Settings, rights: Rights
    ) -> None:
        super().__init__(scope, id)
        # The folder is content-addressed: staging would copy some 200 MB into cdk.out at each change.
        self.node.set_context("aws:cdk:disable-asset-staging", True)
        self.logs = log_group(self, "Logs", stage)
        self.role = self._role(rights)
        self.function = lambda_.Function(
            self,
            "Function",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=_architecture(stage),
            code=_code(shape.bundle, stage),
            handler=shape.handler,
            timeout=Duration.seconds(shape.seconds),
            memory_size=shape.memory_mb,
            environment=settings.to_env(),
            role=self.role,
            log_group=self.logs,
            logging_format=lambda_.LoggingFormat.JSON,
            tracing=lambda_.Tracing.ACTIVE,
        )
        accept(self.function, "L1", TESTED_PYTHON)
        accept(self.role, "IAM5[Resource::*]", TRACES)

    def consume(self, queue: sqs.IQueue, *, concurrency: int | None = None) -> None:
        """Feed the queue to the function, message by message. The right to read is the caller's to list."""
        self.function.add_event_source_mapping(
            "Source",
            event_source_arn=queue.queue_arn,
            batch_size=1,
            report_batch_item_failures=True,
            max_concurrency=concurrency,
        )

    def _role(self, rights: Rights) -> iam.Role:
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self.logs.grant_write(role)
        for right in rights:
            statement = iam.PolicyStatement(
                sid=right.name, actions=list(right.actions), resources=list(right.resources)
            )
            role.add_to_policy(statement)
        return role


def _architecture(stage: Stage) -> lambda_.Architecture:
    arm = architecture(stage.target) == "arm64"
    return lambda_.Architecture.ARM_64 if arm else lambda_.Architecture.X86_64


def _code(bundle: Bundle, stage: Stage) -> lambda_.Code:
    folder, digest = build(bundle, stage.target)
    return lambda_.Code.from_asset(str(folder), asset_hash=digest, asset_hash_type=AssetHashType.CUSTOM)
