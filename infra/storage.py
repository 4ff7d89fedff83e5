"""A bucket that is private, encrypted and served over TLS alone; it goes, emptied, unless retained."""

from typing import Any

from aws_cdk import RemovalPolicy
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.stage import Stage


def removal(stage: Stage) -> RemovalPolicy:
    return RemovalPolicy.RETAIN if stage.retain else RemovalPolicy.DESTROY


def private_bucket(scope: Construct, id: str, stage: Stage, **options: Any) -> s3.Bucket:
    """`options` are those of `s3.Bucket`."""
    return s3.Bucket(
        scope,
        id,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        encryption=s3.BucketEncryption.S3_MANAGED,
        enforce_ssl=True,
        removal_policy=removal(stage),
        auto_delete_objects=not stage.retain,
        **options,
    )
