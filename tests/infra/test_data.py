from collections.abc import Callable
from typing import Any

import pytest

from tests.infra.conftest import STAGES, Stacks

TABLE = "AWS::DynamoDB::Table"
BUCKET = "AWS::S3::Bucket"


@pytest.mark.parametrize(("prefix", "key"), [("Jobs", "job_id"), ("Ledger", "key")])
def test_a_table_forgets_by_ttl_and_can_be_restored_to_any_point(dev: Stacks, prefix: str, key: str) -> None:
    table = dev.properties("Data", TABLE, prefix)

    assert table["KeySchema"] == [{"AttributeName": key, "KeyType": "HASH"}]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert table["BillingMode"] == "PAY_PER_REQUEST"


def test_jobs_are_found_by_owner_whole_and_by_need_in_short(dev: Stacks) -> None:
    indexes = dev.properties("Data", TABLE, "Jobs")["GlobalSecondaryIndexes"]

    found = {index["IndexName"]: [key["AttributeName"] for key in index["KeySchema"]] for index in indexes}
    projections = {index["IndexName"]: index["Projection"] for index in indexes}
    assert found == {"by_owner": ["owner", "created"], "pending": ["pending", "due_at"]}
    assert projections["by_owner"] == {"ProjectionType": "ALL"}
    assert projections["pending"] == {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["status"]}


def test_audio_expires_with_the_folder_it_is_in(dev: Stacks) -> None:
    rules = dev.properties("Data", BUCKET, "Audio")["LifecycleConfiguration"]["Rules"]

    expiries = {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules if "Prefix" in rule}
    aborts = [rule["AbortIncompleteMultipartUpload"] for rule in rules if "Prefix" not in rule]
    assert expiries == {"audio/1d/": 1, "audio/30d/": 30, "raw/": 1, "uploads/": 1}
    assert aborts == [{"DaysAfterInitiation": 1}]
    assert {rule["Status"] for rule in rules} == {"Enabled"}


def test_any_page_may_read_audio_in_parts_and_send_forms_but_write_nothing_else(dev: Stacks) -> None:
    [rule] = dev.properties("Data", BUCKET, "Audio")["CorsConfiguration"]["CorsRules"]

    assert (rule["AllowedOrigins"], rule["AllowedMethods"]) == (["*"], ["GET", "HEAD", "POST"])
    assert set(rule["ExposedHeaders"]) == {"Content-Length", "Content-Range", "ETag", "Accept-Ranges"}


@pytest.mark.parametrize("stage", STAGES)
def test_no_bucket_is_public_or_served_without_tls(stacks: Callable[[str], Stacks], stage: str) -> None:
    for stack in ("Data", "Web"):
        buckets = stacks(stage).resources(stack, BUCKET)
        policies = stacks(stage).resources(stack, "AWS::S3::BucketPolicy").values()
        sealed = {policy["Properties"]["Bucket"]["Ref"] for policy in policies if _denies_plain_http(policy)}

        assert sealed == set(buckets)
        for bucket in buckets.values():
            assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
            assert bucket["Properties"]["BucketEncryption"]


def _denies_plain_http(policy: dict[str, Any]) -> bool:
    return any(
        statement["Effect"] == "Deny"
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        and statement["Principal"] == {"AWS": "*"}
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "Condition" in statement
    )


@pytest.mark.parametrize(("stage", "policy"), [("dev", "Delete"), ("local", "Delete"), ("prod", "Retain")])
def test_data_outlives_its_stack_in_production_alone(
    stacks: Callable[[str], Stacks], stage: str, policy: str
) -> None:
    lasting = [
        resource
        for kind in (TABLE, BUCKET, "AWS::SecretsManager::Secret")
        for resource in stacks(stage).resources("Data", kind).values()
    ]

    assert len(lasting) == 6
    assert {resource["DeletionPolicy"] for resource in lasting} == {policy}
    assert {resource["UpdateReplacePolicy"] for resource in lasting} == {policy}
    emptied = stacks(stage).resources("Data", "Custom::S3AutoDeleteObjects")
    assert len(emptied) == (0 if stage == "prod" else 2)


def test_no_secret_is_written_in_a_template(dev: Stacks) -> None:
    provenance = dev.properties("Data", "AWS::SecretsManager::Secret", "Provenance")
    webhook = dev.properties("Data", "AWS::SecretsManager::Secret", "Webhook")

    assert provenance["SecretString"] == "{}"
    assert "SecretString" not in webhook
    assert webhook["GenerateSecretString"]["PasswordLength"] >= 32
