"""The endpoint's stack in each mode, as its template states it, and its absence where no mode is chosen."""

import json
from typing import Any

import pytest

from lambdas.settings import ConductorSettings
from tests.infra.conftest import Hosted, Stacks, spelled
from tests.infra.test_service import _text

MODES = ("serverless", "gpu", "async")
OWN = {
    "endpoint_image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/music/cadenza:1.2",
    "endpoint_weights": "s3://my-weights/musicgen/small/",
}


def variant(stacks: Stacks) -> dict[str, Any]:
    config = stacks.properties("Inference", "AWS::SageMaker::EndpointConfig")
    [found] = config["ProductionVariants"]
    assert isinstance(found, dict)
    return found


def rights(stacks: Stacks) -> dict[str, dict[str, Any]]:
    role = stacks.properties("Inference", "AWS::IAM::Role")
    [policy] = role["Policies"]
    return {each["Sid"]: each for each in policy["PolicyDocument"]["Statement"]}


def conductor(stacks: Stacks) -> ConductorSettings:
    function = stacks.properties("Service", "AWS::Lambda::Function", "ConductorFunction")
    variables = function["Environment"]["Variables"]
    return ConductorSettings.from_env({key: _text(value) for key, value in variables.items()})


def test_a_stage_that_asks_for_no_endpoint_has_nothing_of_one(dev: Stacks) -> None:
    written = [path.name for path in dev.folder.glob("*.template.json")]

    assert "Cadenza-dev-Inference.template.json" not in written
    for stack in ("Data", "Service", "Web", "Watch"):
        assert "sagemaker" not in json.dumps(dev.template(stack)).replace('\\"sagemaker\\":null', "").lower()
    assert dev.resources("Service", "AWS::SNS::Topic") == {}
    assert not any(name.startswith("Weights") for name in dev.resources("Data", "AWS::S3::Bucket"))


@pytest.mark.parametrize("mode", MODES)
def test_an_endpoint_keeps_the_solutions_rules(hosted: Hosted, mode: str) -> None:
    report = json.loads((hosted(mode).folder / "validation-report.json").read_text())

    assert [finding for plugin in report["pluginReports"] for finding in plugin["violations"]] == []


@pytest.mark.parametrize("mode", ["gpu", "async"])
def test_on_instances_a_model_is_an_image_and_uncompressed_weights_below_a_prefix(
    hosted: Hosted, mode: str
) -> None:
    model = hosted(mode).properties("Inference", "AWS::SageMaker::Model")
    source = model["PrimaryContainer"]["ModelDataSource"]["S3DataSource"]

    assert (source["S3DataType"], source["CompressionType"]) == ("S3Prefix", "None")
    assert json.dumps(source["S3Uri"]).endswith('/musicgen-small/"]]}')
    assert "ModelDataUrl" not in model["PrimaryContainer"]


def test_a_serverless_model_is_an_image_and_an_archive_as_it_may_have_no_other_source(hosted: Hosted) -> None:
    container = hosted("serverless").properties("Inference", "AWS::SageMaker::Model")["PrimaryContainer"]

    assert json.dumps(container["ModelDataUrl"]).endswith('/musicgen-small.tar.gz"]]}')
    assert "ModelDataSource" not in container


@pytest.mark.parametrize("mode", MODES)
def test_an_endpoint_has_the_name_that_the_conductor_asks(hosted: Hosted, mode: str) -> None:
    stacks = hosted(mode)
    settings = conductor(stacks).sagemaker

    assert stacks.properties("Inference", "AWS::SageMaker::Endpoint")["EndpointName"] == f"cadenza-dev-{mode}"
    assert settings is not None
    assert (settings.endpoint, settings.mode, settings.model) == (
        f"cadenza-dev-{mode}",
        mode,
        "musicgen-small",
    )


@pytest.mark.parametrize("mode", MODES)
def test_the_endpoints_model_is_offered_first_and_no_mock_plays_it(hosted: Hosted, mode: str) -> None:
    assert list(conductor(hosted(mode)).chains.items()) == [
        ("musicgen-small", ("sagemaker",)),
        ("mock", ("mock",)),
        ("cascade", ("mock",)),
    ]


@pytest.mark.parametrize(
    ("mode", "action"),
    [("serverless", "InvokeEndpoint"), ("gpu", "InvokeEndpoint"), ("async", "InvokeEndpointAsync")],
)
def test_the_conductor_may_ask_its_endpoint_in_its_mode_and_no_other(
    hosted: Hosted, mode: str, action: str
) -> None:
    policy = hosted(mode).properties("Service", "AWS::IAM::Policy", "ConductorRole")
    asking = [s for s in policy["PolicyDocument"]["Statement"] if "sagemaker" in json.dumps(s)]

    [statement] = asking
    assert sorted(statement["Action"]) == ["sagemaker:DescribeEndpoint", f"sagemaker:{action}"]
    assert json.dumps(statement["Resource"]).endswith(f':endpoint/cadenza-dev-{mode}"]]}}')


def test_serverless_is_memory_and_concurrency_and_no_instance(hosted: Hosted) -> None:
    found = variant(hosted("serverless"))

    assert found["ServerlessConfig"] == {"MemorySizeInMB": 6144, "MaxConcurrency": 4}
    assert "InstanceType" not in found


@pytest.mark.parametrize("mode", ["gpu", "async"])
def test_an_instance_with_a_gpu_has_the_driver_that_the_image_needs(hosted: Hosted, mode: str) -> None:
    found = variant(hosted(mode))

    assert (found["InstanceType"], found["InitialInstanceCount"]) == ("ml.g5.xlarge", 1)
    assert found["InferenceAmiVersion"] == "al2023-ami-sagemaker-inference-gpu-4-1"


def test_an_instance_without_a_gpu_takes_the_image_for_cpus_and_no_driver(hosted: Hosted) -> None:
    unpriced = (("endpoint_instance", "ml.c7i.2xlarge"), ("daily_budget_usd", "none"))
    stacks = hosted("gpu", *unpriced, ("endpoint_instances", "2"))

    assert variant(stacks)["InitialInstanceCount"] == 2
    assert "InferenceAmiVersion" not in variant(stacks)
    assert image_asset(stacks)["dockerBuildTarget"] == "cpu"


def image_asset(stacks: Stacks) -> dict[str, Any]:
    manifest = json.loads((stacks.folder / "Cadenza-dev-Inference.assets.json").read_text())
    [asset] = manifest["dockerImages"].values()
    source = asset["source"]
    assert isinstance(source, dict)
    return source


@pytest.mark.parametrize(("mode", "target"), [("serverless", "cpu"), ("gpu", "cuda"), ("async", "cuda")])
def test_an_image_of_ours_is_built_at_deployment_from_the_container_alone(
    hosted: Hosted, mode: str, target: str
) -> None:
    stacks = hosted(mode)
    source = image_asset(stacks)

    assert source["dockerBuildTarget"] == target
    assert source["platform"] == "linux/amd64"
    assert source["dockerFile"] == "model_container/Dockerfile"
    sent = {path.name for path in (stacks.folder / source["directory"]).iterdir()}
    assert sent <= {"model_container", ".dockerignore"}


def test_an_image_and_weights_of_ones_own_are_taken_as_they_are(hosted: Hosted) -> None:
    stacks = hosted("async", *OWN.items())
    container = stacks.properties("Inference", "AWS::SageMaker::Model")["PrimaryContainer"]
    pull, read = rights(stacks)["PullImage"]["Resource"], rights(stacks)["ReadWeights"]["Resource"]

    assert container["Image"] == OWN["endpoint_image"]
    assert container["ModelDataSource"]["S3DataSource"]["S3Uri"] == OWN["endpoint_weights"]
    assert json.dumps(pull).endswith(':ecr:eu-west-1:123456789012:repository/music/cadenza"]]}')
    assert json.dumps(read).endswith(':s3:::my-weights/musicgen/small/*"]]}')
    assert not any(name.startswith("Weights") for name in stacks.resources("Data", "AWS::S3::Bucket"))


def test_an_archive_of_ones_own_is_taken_as_it_is(hosted: Hosted) -> None:
    archive = "s3://my-weights/musicgen/small.tar.gz"
    stacks = hosted("serverless", ("endpoint_weights", archive))
    model = stacks.properties("Inference", "AWS::SageMaker::Model")

    assert model["PrimaryContainer"]["ModelDataUrl"] == archive
    read = rights(stacks)["ReadWeights"]["Resource"]
    assert json.dumps(read).endswith(':s3:::my-weights/musicgen/small.tar.gz"]]}')


@pytest.mark.parametrize("mode", MODES)
def test_the_endpoint_may_read_its_weights_pull_its_image_and_log(hosted: Hosted, mode: str) -> None:
    found = rights(hosted(mode))
    asynchronous = {"ReadRequests", "StoreAnswers", "TellOfAnswers"} if mode == "async" else set()

    assert set(found) == {
        "FindWeights",
        "ReadWeights",
        "PullImage",
        "EnterRegistry",
        "KeepLog",
        *asynchronous,
    }
    files = "musicgen-small.tar.gz" if mode == "serverless" else "musicgen-small/*"
    assert found["ReadWeights"]["Action"] == "s3:GetObject"
    assert json.dumps(found["ReadWeights"]["Resource"]).endswith(f'"/{files}"]]}}')
    assert found["FindWeights"]["Condition"] == {"StringLike": {"s3:prefix": files}}
    assert [name for name, each in found.items() if each["Resource"] == "*"] == ["EnterRegistry"]


def test_weights_lie_in_a_private_bucket_that_speaks_tls_alone(hosted: Hosted) -> None:
    stacks = hosted("serverless")
    bucket = stacks.properties("Data", "AWS::S3::Bucket", "Weights")

    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert "BucketEncryption" in bucket
    assert "WeightsBucketName" in stacks.template("Data")["Outputs"]


@pytest.mark.parametrize("mode", MODES)
def test_the_endpoints_log_expires(hosted: Hosted, mode: str) -> None:
    log = hosted(mode).properties("Inference", "AWS::Logs::LogGroup")

    assert log["LogGroupName"] == f"/aws/sagemaker/Endpoints/cadenza-dev-{mode}"
    assert log["RetentionInDays"] == 14


@pytest.mark.parametrize("mode", MODES)
def test_the_endpoint_is_gone_before_its_log_is(hosted: Hosted, mode: str) -> None:
    stacks = hosted(mode)
    [log] = stacks.resources("Inference", "AWS::Logs::LogGroup")
    [endpoint] = stacks.resources("Inference", "AWS::SageMaker::Endpoint").values()

    assert log in endpoint["DependsOn"]


def test_sagemaker_takes_the_role_for_this_account_alone(hosted: Hosted) -> None:
    role = hosted("gpu").properties("Inference", "AWS::IAM::Role")
    [trust] = role["AssumeRolePolicyDocument"]["Statement"]

    assert trust["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    source = spelled(trust["Condition"]["ArnLike"]["aws:SourceArn"])
    assert source == "arn:AWS::Partition:sagemaker:AWS::Region:AWS::AccountId:*"


@pytest.mark.parametrize(
    ("mode", "metrics"),
    [
        ("serverless", {"EndpointErrors": "Invocation5XXErrors"}),
        ("gpu", {"EndpointErrors": "Invocation5XXErrors"}),
        ("async", {"EndpointErrors": "InvocationFailures", "EndpointExpires": "ExpiredRequests"}),
    ],
)
def test_an_endpoint_that_fails_wakes_someone(hosted: Hosted, mode: str, metrics: dict[str, str]) -> None:
    alarms = hosted(mode).resources("Watch", "AWS::CloudWatch::Alarm")
    found = {name[:-8]: each["Properties"] for name, each in alarms.items() if name.startswith("Endpoint")}

    assert {name: each["MetricName"] for name, each in found.items()} == metrics
    for alarm in found.values():
        dimensions = {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
        assert dimensions == {"EndpointName": f"cadenza-dev-{mode}", "VariantName": "AllTraffic"}
        assert alarm["AlarmActions"]


def test_the_dashboard_shows_the_endpoint(dev: Stacks, hosted: Hosted) -> None:
    def shown(stacks: Stacks) -> str:
        return json.dumps(stacks.properties("Watch", "AWS::CloudWatch::Dashboard"))

    assert "ApproximateBacklogSize" in shown(hosted("async"))
    assert "AWS/SageMaker" not in shown(dev)
