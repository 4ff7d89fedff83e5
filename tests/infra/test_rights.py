"""The rights of each function, line by line, as its policy in the template states them."""

import json
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.infra.conftest import Stacks

RIGHTS = {
    "Api": {
        "Jobs": {"dynamodb:GetItem", "dynamodb:PutItem"},
        "ListJobs": {"dynamodb:Query"},
        "Ledger": {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"},
        "SubmitJobs": {"sqs:SendMessage"},
        "Audio": {"s3:GetObject", "s3:DeleteObject"},
        "Uploads": {"s3:GetObject", "s3:PutObject"},
    },
    "Conductor": {
        "Jobs": {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"},
        "Ledger": {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"},
        "TakeJobs": {
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:ChangeMessageVisibility",
            "sqs:GetQueueAttributes",
        },
        "CheckAgain": {"sqs:SendMessage"},
        "Announce": {"sqs:SendMessage"},
        "Audio": {"s3:GetObject", "s3:PutObject", "s3:DeleteObject"},
        "Uploads": {"s3:GetObject"},
        "TellAbsent": {"s3:ListBucket"},
        "SignAudio": {"secretsmanager:GetSecretValue"},
    },
    "Courier": {
        "Jobs": {"dynamodb:GetItem"},
        "TakeDeliveries": {
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:ChangeMessageVisibility",
            "sqs:GetQueueAttributes",
        },
        "TryAgain": {"sqs:SendMessage"},
        "Audio": {"s3:GetObject"},
        "SignDeliveries": {"secretsmanager:GetSecretValue"},
    },
    "Janitor": {
        "Jobs": {"dynamodb:GetItem", "dynamodb:PutItem"},
        "FindOverdue": {"dynamodb:Query"},
        "Resubmit": {"sqs:SendMessage"},
        "ReadDeadLetters": {"sqs:ReceiveMessage"},
    },
}
LOGS_AND_TRACES = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}


def statements(stacks: Stacks, function: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stacks.properties("Service", "AWS::IAM::Policy", f"{function}Role")[
        "PolicyDocument"
    ]["Statement"]
    return found


def actions(statement: dict[str, Any]) -> set[str]:
    listed = statement["Action"]
    return {listed} if isinstance(listed, str) else set(listed)


def may(stacks: Stacks, function: str, action: str, resource: str) -> bool:
    """Whether a statement allows the action on a resource whose reference has these letters."""
    return any(
        any(fnmatchcase(action, allowed) for allowed in actions(statement))
        and (resource in json.dumps(statement["Resource"]) or statement["Resource"] == "*")
        for statement in statements(stacks, function)
    )


@pytest.mark.parametrize("function", RIGHTS)
def test_a_function_has_the_rights_on_its_list_and_its_log_and_trace(dev: Stacks, function: str) -> None:
    named = {each["Sid"]: actions(each) for each in statements(dev, function) if "Sid" in each}
    unnamed = [actions(each) for each in statements(dev, function) if "Sid" not in each]

    assert named == RIGHTS[function]
    assert set().union(*unnamed) == LOGS_AND_TRACES


@pytest.mark.parametrize("function", RIGHTS)
def test_a_role_is_one_functions_and_has_no_policy_beside_its_list(dev: Stacks, function: str) -> None:
    role = dev.properties("Service", "AWS::IAM::Role", f"{function}Role")
    policies = dev.resources("Service", "AWS::IAM::Policy").values()

    assert "ManagedPolicyArns" not in role
    assert "Policies" not in role
    assert [len(policy["Properties"]["Roles"]) for policy in policies] == [1] * len(RIGHTS)


@pytest.mark.parametrize("function", RIGHTS)
def test_no_action_is_a_wildcard_and_every_resource_but_the_trace_is_named(
    dev: Stacks, function: str
) -> None:
    for statement in statements(dev, function):
        assert not any("*" in action for action in actions(statement))
        if statement["Resource"] == "*":
            assert actions(statement) == {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}


@pytest.mark.parametrize(
    ("function", "action", "resource"),
    [
        ("Api", "s3:PutObject", "/audio/"),
        ("Api", "s3:PutObject", "/raw/"),
        ("Api", "s3:DeleteObject", "/uploads/"),
        ("Conductor", "s3:PutObject", "/uploads/"),
        ("Api", "s3:GetObject", "/raw/"),
        ("Api", "dynamodb:DeleteItem", "Jobs"),
        ("Api", "secretsmanager:GetSecretValue", ""),
        ("Api", "sqs:ReceiveMessage", ""),
        ("Conductor", "dynamodb:Query", "Jobs"),
        ("Conductor", "secretsmanager:GetSecretValue", "Webhook"),
        ("Courier", "dynamodb:PutItem", "Jobs"),
        ("Courier", "dynamodb:GetItem", "Ledger"),
        ("Courier", "s3:PutObject", "AudioArn"),
        ("Courier", "secretsmanager:GetSecretValue", "Provenance"),
        ("Janitor", "s3:GetObject", "AudioArn"),
        ("Janitor", "sqs:DeleteMessage", "QueuesDead"),
        ("Janitor", "dynamodb:GetItem", "Ledger"),
    ],
)
def test_a_function_may_not_do_what_is_anothers(
    dev: Stacks, function: str, action: str, resource: str
) -> None:
    assert not may(dev, function, action, resource)


@pytest.mark.parametrize(
    ("function", "action", "resource"),
    [
        ("Api", "s3:GetObject", "AudioArn"),
        ("Conductor", "s3:PutObject", "/raw/*"),
        ("Courier", "secretsmanager:GetSecretValue", "Webhook"),
        ("Janitor", "sqs:ReceiveMessage", "QueuesDeadJobs"),
    ],
)
def test_a_function_may_do_what_is_its_own(dev: Stacks, function: str, action: str, resource: str) -> None:
    assert may(dev, function, action, resource)
