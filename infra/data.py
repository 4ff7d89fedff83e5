"""What lasts: the two tables, the buckets of audio and of access logs, the secrets. Nothing here computes."""

from dataclasses import dataclass

from aws_cdk import CfnOutput, Duration, SecretValue, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.rules import accept
from infra.stage import Stage
from infra.storage import private_bucket, removal

BY_OWNER = "by_owner"
PENDING = "pending"
RETENTIONS = (1, 30)
"""Days that audio lives: the first segment of its key, `audio/{days}d/`, decides."""


@dataclass(frozen=True)
class ReplicateSecrets:
    """Two, as two functions read them: the one that asks, and the one that is told."""

    token: secretsmanager.Secret
    webhook: secretsmanager.Secret


class Data(Stack):
    def __init__(self, scope: Construct, id: str, *, stage: Stage) -> None:
        super().__init__(scope, id, description=f"Cadenza ({stage.name}): jobs, ledger, audio, secrets")
        self.stage = stage
        self.jobs = self._jobs()
        self.ledger = self._table("Ledger", "key")
        self.logs = self._logs()
        self.audio = self._audio()
        # Exported under a name of ours: policies and what is accepted of them then read the same.
        self.audio_export = f"{id}-AudioArn"
        self.audio_arn = self.export_value(self.audio.bucket_arn, name=self.audio_export)
        self.provenance = self._provenance()
        self.webhook = self._webhook()
        self.weights = self._weights() if stage.endpoint and stage.endpoint.weights is None else None
        self.weights_export = f"{id}-WeightsArn"
        self.acestep = self._acestep() if stage.acestep is not None else None
        self.replicate = self._replicate() if stage.replicate is not None else None
        CfnOutput(self, "TableName", value=self.jobs.table_name)
        CfnOutput(self, "LedgerTableName", value=self.ledger.table_name)
        CfnOutput(self, "MusicBucketName", value=self.audio.bucket_name)
        CfnOutput(self, "ProvenanceSecretName", value=self.provenance.secret_name)
        CfnOutput(self, "WebhookSecretName", value=self.webhook.secret_name)

    def _table(self, id: str, key: str) -> dynamodb.Table:
        return dynamodb.Table(
            self,
            id,
            partition_key=_text(key),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            time_to_live_attribute="ttl",
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=self.stage.retain,
            removal_policy=removal(self.stage),
        )

    def _jobs(self) -> dynamodb.Table:
        table = self._table("Jobs", "job_id")
        table.add_global_secondary_index(
            index_name=BY_OWNER, partition_key=_text("owner"), sort_key=_text("created")
        )
        # Sparse: a row is in it only while its job is unfinished, so that the janitor reads nothing else.
        table.add_global_secondary_index(
            index_name=PENDING,
            partition_key=_text("pending"),
            sort_key=_text("due_at"),
            projection_type=dynamodb.ProjectionType.INCLUDE,
            non_key_attributes=["status"],
        )
        return table

    def _logs(self) -> s3.Bucket:
        return private_bucket(
            self,
            "AccessLogs",
            self.stage,
            # CloudFront still delivers its logs by access control list.
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_PREFERRED,
            lifecycle_rules=[s3.LifecycleRule(id="expire", expiration=Duration.days(self.stage.log_days))],
        )

    def _audio(self) -> s3.Bucket:
        expiries = {f"audio/{days}d/": days for days in RETENTIONS} | {"raw/": 1, "uploads/": 1}
        return private_bucket(
            self,
            "Audio",
            self.stage,
            lifecycle_rules=[
                *(
                    s3.LifecycleRule(id=f"expire {prefix}", prefix=prefix, expiration=Duration.days(days))
                    for prefix, days in expiries.items()
                ),
                s3.LifecycleRule(
                    id="abort uploads", abort_incomplete_multipart_upload_after=Duration.days(1)
                ),
            ],
            # Links and forms are presigned, so the origin says nothing about who may use them; any page may.
            cors=[
                s3.CorsRule(
                    allowed_methods=[s3.HttpMethods.GET, s3.HttpMethods.HEAD, s3.HttpMethods.POST],
                    allowed_origins=["*"],
                    allowed_headers=["*"],
                    exposed_headers=["Content-Length", "Content-Range", "ETag", "Accept-Ranges"],
                    max_age=3600,
                )
            ],
            server_access_logs_bucket=self.logs,
            server_access_logs_prefix="audio/",
        )

    def _weights(self) -> s3.Bucket:
        """A folder for each model that an endpoint may be given; model_container.publish fills it."""
        bucket = private_bucket(
            self,
            "Weights",
            self.stage,
            lifecycle_rules=[
                s3.LifecycleRule(id="abort uploads", abort_incomplete_multipart_upload_after=Duration.days(7))
            ],
            server_access_logs_bucket=self.logs,
            server_access_logs_prefix="weights/",
        )
        CfnOutput(self, "WeightsBucketName", value=bucket.bucket_name)
        return bucket

    def _provenance(self) -> secretsmanager.Secret:
        secret = secretsmanager.Secret(
            self,
            "Provenance",
            description='C2PA signer: {"certificate": PEM chain, "private_key": PEM}; empty until filled',
            secret_string_value=SecretValue.unsafe_plain_text("{}"),
            removal_policy=removal(self.stage),
        )
        reason = "A signing certificate is renewed by its authority and put here by an operator."
        accept(secret, "SMG4", reason)
        return secret

    def _webhook(self) -> secretsmanager.Secret:
        secret = secretsmanager.Secret(
            self,
            "Webhook",
            description="Signs outgoing webhooks (Standard Webhooks)",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=48, exclude_punctuation=True
            ),
            removal_policy=removal(self.stage),
        )
        reason = (
            "Receivers hold the same secret: a rotation that they do not know of would break their checks."
        )
        accept(secret, "SMG4", reason)
        return secret

    def _acestep(self) -> secretsmanager.Secret:
        secret = secretsmanager.Secret(
            self,
            "AceStep",
            description='ACE-Step server: {"api_key", "modal_key", "modal_secret"}, each where it is needed',
            secret_string_value=SecretValue.unsafe_plain_text("{}"),
            removal_policy=removal(self.stage),
        )
        reason = "Keys of another service: whoever runs that one issues them, and an operator puts them here."
        accept(secret, "SMG4", reason)
        CfnOutput(self, "AceStepSecretName", value=secret.secret_name)
        return secret

    def _replicate(self) -> ReplicateSecrets:
        return ReplicateSecrets(
            token=self._of_replicate("ReplicateToken", "Replicate's API token; empty until filled"),
            webhook=self._of_replicate("ReplicateWebhook", "Replicate's webhook signing secret, whsec_…"),
        )

    def _of_replicate(self, id: str, description: str) -> secretsmanager.Secret:
        secret = secretsmanager.Secret(
            self,
            id,
            description=description,
            # A space: the service takes no empty secret, and readers strip it.
            secret_string_value=SecretValue.unsafe_plain_text(" "),
            removal_policy=removal(self.stage),
        )
        accept(secret, "SMG4", "Replicate issues it, and an operator puts it here.")
        CfnOutput(self, f"{id}SecretName", value=secret.secret_name)
        return secret


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
