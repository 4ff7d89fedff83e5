"""Puts the studio's files into their bucket at each deployment, and makes the edge forget the former ones."""

from aws_cdk import CfnResource, Stack
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_deployment as deployment
from constructs import Construct, IConstruct

from infra.assets import ROOT
from infra.functions import log_group
from infra.rules import accept
from infra.stage import Stage

ASSETS = "arn:<AWS::Partition>:s3:::cdk-hnb659fds-assets-<AWS::AccountId>-<AWS::Region>"
"""The CDK's bucket of assets, as a finding spells it."""


def publish(
    scope: Construct, id: str, stage: Stage, *, site: s3.Bucket, distribution: cloudfront.Distribution
) -> None:
    uploader = deployment.BucketDeployment(
        scope,
        id,
        sources=[deployment.Source.asset(str(ROOT / "web"))],
        destination_bucket=site,
        # The edge keeps the files until the next deployment says otherwise; browsers ask each time.
        cache_control=[deployment.CacheControl.from_string("public, max-age=0, s-maxage=86400")],
        distribution=distribution,
        distribution_paths=["/*"],
        log_group=log_group(scope, f"{id}Logs", stage),
    )
    handler = uploader.handler_role.node.scope
    if handler is None:
        raise LookupError("the CDK's uploader has no function around its role")
    _accept_uploader(handler, _logical_id(site))


def _accept_uploader(handler: IConstruct, site: str) -> None:
    """What the CDK's own function, which runs at deployments alone, does its own way."""
    basic = "Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    accept(handler, "L1", "The CDK chooses the runtime of its uploader.")
    accept(handler, f"IAM4[{basic}]", "The CDK gives its uploader this role; it writes its own log.")
    for action in ("GetBucket*", "GetObject*", "List*", "DeleteObject*", "Abort*"):
        accept(
            handler, f"IAM5[Action::s3:{action}]", "The CDK's grant to read its assets and write the site."
        )
    for resource in (f"{ASSETS}/*", f"<{site}.Arn>/*"):
        accept(handler, f"IAM5[Resource::{resource}]", "It copies every file from the assets to the site.")
    accept(handler, "IAM5[Resource::*]", "The CDK's grant to invalidate names no distribution.")


def _logical_id(bucket: s3.Bucket) -> str:
    resource = bucket.node.default_child
    if not isinstance(resource, CfnResource):
        raise TypeError("a bucket of the CDK is one CloudFormation resource")
    return Stack.of(bucket).get_logical_id(resource)
