"""What an asynchronous endpoint has beside the others: notices, answers, instances that come and go."""

import json
from typing import Any

import pytest

from infra.execution import ANSWERS, FAILURES
from lambdas.settings import ENDPOINT_REQUESTS
from tests.infra.conftest import Hosted, Stacks


def test_answers_go_below_the_prefix_that_lives_for_a_day_and_that_the_conductor_reads(
    hosted: Hosted,
) -> None:
    stacks = hosted("async")
    asynchronous = stacks.properties("Inference", "AWS::SageMaker::EndpointConfig")["AsyncInferenceConfig"]
    output = asynchronous["OutputConfig"]

    assert json.dumps(output["S3OutputPath"]).endswith(f'"/{ANSWERS}"]]}}')
    assert json.dumps(output["S3FailurePath"]).endswith(f'"/{FAILURES}"]]}}')
    assert ANSWERS.startswith("raw/")
    assert FAILURES.startswith("raw/")
    assert asynchronous["ClientConfig"] == {"MaxConcurrentInvocationsPerInstance": 4}
    assert set(output["NotificationConfig"]) == {"SuccessTopic", "ErrorTopic"}


def test_a_request_lies_where_the_conductor_may_write_and_the_endpoint_may_read_it(hosted: Hosted) -> None:
    stacks = hosted("async")
    role = stacks.properties("Inference", "AWS::IAM::Role")
    [policy] = role["Policies"]
    [reading] = [each for each in policy["PolicyDocument"]["Statement"] if each["Sid"] == "ReadRequests"]
    conductor = stacks.properties("Service", "AWS::IAM::Policy", "ConductorRole")["PolicyDocument"]
    writing = [each["Resource"] for each in conductor["Statement"] if "s3:PutObject" in each["Action"]]

    assert reading["Action"] == "s3:GetObject"
    assert json.dumps(reading["Resource"]).endswith(f'"/{ENDPOINT_REQUESTS}/*"]]}}')
    assert ENDPOINT_REQUESTS.startswith("raw/")
    assert '"/raw/*"' in json.dumps(writing)


def test_topics_are_encrypted_take_tls_alone_and_end_in_the_jobs_queue(hosted: Hosted) -> None:
    stacks = hosted("async")
    topics = stacks.resources("Service", "AWS::SNS::Topic")
    policies = list(stacks.resources("Service", "AWS::SNS::TopicPolicy").values())
    queued = [each["Properties"] for each in stacks.resources("Service", "AWS::SNS::Subscription").values()]

    assert len(topics) == 2
    for topic in topics.values():
        assert json.dumps(topic["Properties"]["KmsMasterKeyId"]).endswith(':alias/aws/sns"]]}')
    assert len(policies) == 2
    for policy in policies:
        [statement] = policy["Properties"]["PolicyDocument"]["Statement"]
        assert statement["Effect"] == "Deny"
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert {each["TopicArn"]["Ref"] for each in queued} == set(topics)
    assert all(each["RawMessageDelivery"] is True for each in queued)
    assert all("QueuesJobs" in json.dumps(each["Endpoint"]) for each in queued)


def test_only_the_two_topics_may_send_to_the_jobs_queue_from_outside(hosted: Hosted) -> None:
    stacks = hosted("async")
    policy = stacks.properties("Service", "AWS::SQS::QueuePolicy", "QueuesJobs")
    allowed = [each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Allow"]

    assert len(allowed) == 2
    for statement in allowed:
        assert statement["Action"] == "sqs:SendMessage"
        assert statement["Principal"] == {"Service": "sns.amazonaws.com"}
        assert "NoticesS" in json.dumps(statement["Condition"]) or "NoticesE" in json.dumps(
            statement["Condition"]
        )


@pytest.mark.parametrize("mode", ["serverless", "gpu"])
def test_what_is_waited_for_sends_no_notices_and_is_not_scaled(hosted: Hosted, mode: str) -> None:
    stacks = hosted(mode)

    assert "SNS" not in json.dumps(stacks.template("Inference"))
    assert stacks.resources("Inference", "AWS::ApplicationAutoScaling::ScalableTarget") == {}


def test_an_endpoint_can_change_its_mode_as_its_stack_finds_every_export_it_read_before(
    hosted: Hosted,
) -> None:
    exports = [
        {
            output["Export"]["Name"]
            for stack in ("Data", "Service")
            for output in hosted(mode).template(stack)["Outputs"].values()
            if "Export" in output
        }
        for mode in ("async", "gpu", "serverless")
    ]

    assert exports[0] == exports[1] == exports[2]


def policies(stacks: Stacks) -> dict[str, dict[str, Any]]:
    found = stacks.resources("Inference", "AWS::ApplicationAutoScaling::ScalingPolicy").values()
    return {each["Properties"]["PolicyType"]: each["Properties"] for each in found}


def test_asynchronous_instances_come_from_zero_and_go_back(hosted: Hosted) -> None:
    stacks = hosted("async", ("endpoint_instances", "3"))
    target = stacks.properties("Inference", "AWS::ApplicationAutoScaling::ScalableTarget")

    assert (target["MinCapacity"], target["MaxCapacity"]) == (0, 3)
    assert target["ScalableDimension"] == "sagemaker:variant:DesiredInstanceCount"
    assert "/variant/AllTraffic" in json.dumps(target["ResourceId"])
    assert stacks.properties("Inference", "AWS::SageMaker::Endpoint")["RetainAllVariantProperties"] is True


def tracked(stacks: Stacks) -> dict[str, Any]:
    policy = policies(stacks)["TargetTrackingScaling"]
    found: dict[str, Any] = policy["TargetTrackingScalingPolicyConfiguration"]
    return found


def test_the_backlog_of_each_instance_is_tracked(hosted: Hosted) -> None:
    tracking = tracked(hosted("async"))
    metric = tracking["CustomizedMetricSpecification"]

    assert (metric["Namespace"], metric["MetricName"]) == (
        "AWS/SageMaker",
        "ApproximateBacklogSizePerInstance",
    )
    assert [each["Name"] for each in metric["Dimensions"]] == ["EndpointName"]
    assert tracking["ScaleInCooldown"] >= tracking["ScaleOutCooldown"]
    assert "DisableScaleIn" not in tracking


@pytest.mark.parametrize("songs", [1, 4, 16])
def test_songs_that_an_instance_makes_at_a_time_start_no_other(hosted: Hosted, songs: int) -> None:
    stacks = hosted("async", ("endpoint_concurrency", str(songs)))
    config = stacks.properties("Inference", "AWS::SageMaker::EndpointConfig")["AsyncInferenceConfig"]

    assert config["ClientConfig"] == {"MaxConcurrentInvocationsPerInstance": songs}
    assert tracked(stacks)["TargetValue"] == songs + 2


def test_a_song_that_waits_while_no_instance_runs_starts_one(hosted: Hosted) -> None:
    stacks = hosted("async")
    alarm = stacks.properties("Inference", "AWS::CloudWatch::Alarm")
    step = policies(stacks)["StepScaling"]["StepScalingPolicyConfiguration"]
    [first] = [
        name
        for name, each in stacks.resources("Inference", "AWS::ApplicationAutoScaling::ScalingPolicy").items()
        if each["Properties"]["PolicyType"] == "StepScaling"
    ]

    assert (alarm["MetricName"], alarm["Threshold"], alarm["EvaluationPeriods"]) == (
        "HasBacklogWithoutCapacity",
        1,
        1,
    )
    assert alarm["AlarmActions"] == [{"Ref": first}]
    assert step["AdjustmentType"] == "ExactCapacity", "however long the first takes, no second one is begun"
    assert step["StepAdjustments"] == [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}]
