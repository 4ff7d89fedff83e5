"""Instances of an asynchronous endpoint: none while there is nothing to do, as many as the stage allows else.

Two policies, as each sees what the other cannot. A backlog per instance is no number while there is none, so
the first song would wait for ever: a step policy brings the first instance; target tracking brings the
others, and takes them all away again.

The backlog is, in AWS's words, what is "currently being processed or yet to be processed" (of
ApproximateBacklogSize; ApproximateBacklogSizePerInstance is that by instance):
https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-monitor.html. So songs that are being made
count, and an instance makes several at a time. Not tried on AWS; were they not counted, the next instance
would start as many songs later.
"""

from typing import Any

from aws_cdk import aws_applicationautoscaling as scaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

NAMESPACE = "AWS/SageMaker"
WAITING = 2
"""Songs that may wait for each instance, beside those it makes, before another is worth a start."""
QUIET_SECONDS = 600
"""An instance that has nothing to do stays this long: a start costs minutes, and someone's patience."""
STEP_SECONDS = 300


def scale_from_zero(
    scope: Construct, endpoint: sagemaker.CfnEndpoint, variant: str, *, most: int, concurrency: int
) -> cloudwatch.CfnAlarm:
    """Returns the alarm that a song waits while no instance is there. concurrency: songs of an instance."""
    name = endpoint.attr_endpoint_name
    target = _instances(scope, f"endpoint/{name}/variant/{variant}", most)
    tracking = _tracking(name, concurrency + WAITING)
    _policy(scope, "Backlog", target, target_tracking_scaling_policy_configuration=tracking)
    step = _policy(scope, "FirstInstance", target, step_scaling_policy_configuration=_step())
    return cloudwatch.CfnAlarm(
        scope,
        "SongsWaitForAnInstance",
        alarm_description="Songs wait and no instance runs: the first one is started.",
        namespace=NAMESPACE,
        metric_name="HasBacklogWithoutCapacity",
        dimensions=[cloudwatch.CfnAlarm.DimensionProperty(name="EndpointName", value=name)],
        statistic="Maximum",
        period=60,
        evaluation_periods=1,
        threshold=1,
        comparison_operator="GreaterThanOrEqualToThreshold",
        treat_missing_data="missing",
        alarm_actions=[step.ref],
    )


def _instances(scope: Construct, resource: str, most: int) -> scaling.CfnScalableTarget:
    return scaling.CfnScalableTarget(
        scope,
        "Instances",
        service_namespace="sagemaker",
        scalable_dimension="sagemaker:variant:DesiredInstanceCount",
        resource_id=resource,
        min_capacity=0,
        max_capacity=most,
    )


def _policy(
    scope: Construct, id: str, target: scaling.CfnScalableTarget, **how: Any
) -> scaling.CfnScalingPolicy:
    kind = "StepScaling" if "step_scaling_policy_configuration" in how else "TargetTrackingScaling"
    return scaling.CfnScalingPolicy(
        scope, id, policy_name=id, policy_type=kind, scaling_target_id=target.ref, **how
    )


def _tracking(
    endpoint: str, songs: int
) -> scaling.CfnScalingPolicy.TargetTrackingScalingPolicyConfigurationProperty:
    policy = scaling.CfnScalingPolicy
    return policy.TargetTrackingScalingPolicyConfigurationProperty(
        target_value=songs,
        customized_metric_specification=policy.CustomizedMetricSpecificationProperty(
            namespace=NAMESPACE,
            metric_name="ApproximateBacklogSizePerInstance",
            dimensions=[policy.MetricDimensionProperty(name="EndpointName", value=endpoint)],
            statistic="Average",
        ),
        scale_in_cooldown=QUIET_SECONDS,
        scale_out_cooldown=STEP_SECONDS,
    )


def _step() -> scaling.CfnScalingPolicy.StepScalingPolicyConfigurationProperty:
    policy = scaling.CfnScalingPolicy
    return policy.StepScalingPolicyConfigurationProperty(
        # One, however often the alarm says so: an instance may take longer to come than the cooldown.
        adjustment_type="ExactCapacity",
        metric_aggregation_type="Maximum",
        cooldown=STEP_SECONDS,
        step_adjustments=[policy.StepAdjustmentProperty(metric_interval_lower_bound=0, scaling_adjustment=1)],
    )
