import json
from collections.abc import Callable
from typing import Any

import pytest

from infra.problems import PROBLEMS, Problem, template
from lambdas.settings import ApiSettings, ConductorSettings, CourierSettings, JanitorSettings, Settings
from tests.infra.conftest import STAGES, Stacks

FUNCTION = "AWS::Lambda::Function"
QUEUE = "AWS::SQS::Queue"
SOURCES = {"Conductor": "QueuesJobs", "Courier": "QueuesDeliveries"}
SETTINGS: dict[str, type[Settings]] = {
    "Api": ApiSettings,
    "Conductor": ConductorSettings,
    "Courier": CourierSettings,
    "Janitor": JanitorSettings,
}


@pytest.mark.parametrize("name", SETTINGS)
def test_each_function_is_python_on_graviton_traced_and_logs_json_that_expires(
    dev: Stacks, name: str
) -> None:
    function = dev.properties("Service", FUNCTION, f"{name}Function")
    logs = dev.resources("Service", "AWS::Logs::LogGroup")[function["LoggingConfig"]["LogGroup"]["Ref"]]

    assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"])
    assert function["Handler"] == f"lambdas.{name.lower()}.handler"
    assert function["TracingConfig"] == {"Mode": "Active"}
    assert function["LoggingConfig"]["LogFormat"] == "JSON"
    assert logs["Properties"]["RetentionInDays"] == 14


@pytest.mark.parametrize("name", SETTINGS)
def test_each_function_can_read_the_settings_that_its_stack_writes(dev: Stacks, name: str) -> None:
    written = dev.properties("Service", FUNCTION, f"{name}Function")["Environment"]["Variables"]

    settings = SETTINGS[name].from_env({key: _text(value) for key, value in written.items()})

    assert settings.stage == "dev"


def test_the_mock_of_the_stage_reaches_the_conductor(dev: Stacks) -> None:
    written = dev.properties("Service", FUNCTION, "ConductorFunction")["Environment"]["Variables"]

    assert json.loads(_text(written["CADENZA_SETTINGS"]))["mock"] == "music"


def _text(value: Any) -> str:
    """What a template's value may become: references turn into a name."""
    if isinstance(value, str):
        return value
    return "".join(part if isinstance(part, str) else "name" for part in value["Fn::Join"][1])


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("function", SOURCES)
def test_a_message_stays_hidden_at_least_as_long_as_its_function_may_run(
    stacks: Callable[[str], Stacks], stage: str, function: str
) -> None:
    queue = stacks(stage).properties("Service", QUEUE, SOURCES[function])
    timeout = stacks(stage).properties("Service", FUNCTION, f"{function}Function")["Timeout"]

    assert queue["VisibilityTimeout"] >= timeout * (1 if stage == "local" else 6)


def test_no_conductor_outlives_its_lease(stacks: Callable[[str], Stacks]) -> None:
    for stage in STAGES:
        function = stacks(stage).properties("Service", FUNCTION, "ConductorFunction")
        variables = function["Environment"]["Variables"]
        settings = ConductorSettings.from_env({key: _text(value) for key, value in variables.items()})

        assert function["Timeout"] < settings.lease_seconds


@pytest.mark.parametrize(
    ("queue", "dead", "receives"),
    [("QueuesJobs", "QueuesDeadJobs", 5), ("QueuesDeliveries", "QueuesDeadDeliveries", 10)],
)
def test_what_cannot_be_handled_waits_two_weeks_for_an_operator(
    dev: Stacks, queue: str, dead: str, receives: int
) -> None:
    redrive = dev.properties("Service", QUEUE, queue)["RedrivePolicy"]

    target = redrive["deadLetterTargetArn"]["Fn::GetAtt"][0]
    assert target.startswith(dead)
    assert redrive["maxReceiveCount"] == receives
    assert dev.resources("Service", QUEUE)[target]["Properties"]["MessageRetentionPeriod"] == 14 * 24 * 3600


def test_each_message_is_handled_alone_and_reported_alone(dev: Stacks) -> None:
    sources = [s["Properties"] for s in dev.resources("Service", "AWS::Lambda::EventSourceMapping").values()]

    assert len(sources) == 2
    assert {source["BatchSize"] for source in sources} == {1}
    assert all(source["FunctionResponseTypes"] == ["ReportBatchItemFailures"] for source in sources)


def test_the_stage_bounds_how_many_jobs_are_conducted_at_once(stacks: Callable[[str], Stacks]) -> None:
    source = "AWS::Lambda::EventSourceMapping"

    bounds = {s: stacks(s).properties("Service", source, "Conductor")["ScalingConfig"] for s in STAGES}

    assert bounds["dev"] == {"MaximumConcurrency": 5}
    assert bounds["prod"] == {"MaximumConcurrency": 50}


def test_the_janitor_comes_every_minute(dev: Stacks) -> None:
    rule = dev.properties("Service", "AWS::Events::Rule")

    assert rule["ScheduleExpression"] == "rate(1 minute)"
    assert rule["Targets"][0]["Arn"]["Fn::GetAtt"][0].startswith("JanitorFunction")


def test_the_api_is_a_rest_api_whose_stage_limits_traces_and_logs_requests(dev: Stacks) -> None:
    stage = dev.properties("Service", "AWS::ApiGateway::Stage")
    [method] = stage["MethodSettings"]

    assert stage["StageName"] == "v1"
    assert stage["TracingEnabled"] is True
    assert (method["ThrottlingRateLimit"], method["ThrottlingBurstLimit"]) == (20, 40)
    assert method["DataTraceEnabled"] is False
    assert json.loads(stage["AccessLogSetting"]["Format"])["request_id"] == "$context.requestId"


def test_every_path_and_method_goes_to_the_api_function_as_text(dev: Stacks) -> None:
    api = dev.properties("Service", "AWS::ApiGateway::RestApi")
    resource = dev.properties("Service", "AWS::ApiGateway::Resource")
    methods = [m["Properties"] for m in dev.resources("Service", "AWS::ApiGateway::Method").values()]

    assert api["EndpointConfiguration"]["Types"] == ["REGIONAL"]
    assert "BinaryMediaTypes" not in api
    assert resource["PathPart"] == "{proxy+}"
    assert len(methods) == 2, "the root and all below it"
    for method in methods:
        assert (method["HttpMethod"], method["Integration"]["Type"]) == ("ANY", "AWS_PROXY")
        assert "ApiFunction" in json.dumps(method["Integration"]["Uri"])


def test_every_error_of_api_gateways_own_is_a_problem_with_the_same_status_inside_and_out(
    dev: Stacks,
) -> None:
    written = [r["Properties"] for r in dev.resources("Service", "AWS::ApiGateway::GatewayResponse").values()]

    assert {response["ResponseType"] for response in written} == set(PROBLEMS)
    for response in written:
        headers = response["ResponseParameters"]
        body = json.loads(_filled_in(response["ResponseTemplates"]["application/json"]))
        assert headers["gatewayresponse.header.Content-Type"] == "'application/problem+json'"
        assert str(body["status"]) == response["StatusCode"]
        assert {"type", "title", "status", "detail", "instance", "code", "request_id"} == set(body)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("MISSING_AUTHENTICATION_TOKEN", 404),
        ("REQUEST_TOO_LARGE", 413),
        ("THROTTLED", 429),
        ("INTEGRATION_TIMEOUT", 504),
        ("API_CONFIGURATION_ERROR", 500),
    ],
)
def test_an_error_of_api_gateways_has_the_status_that_it_means(kind: str, status: int) -> None:
    assert PROBLEMS[kind].status == status


def test_a_throttled_caller_is_told_when_to_come_back(dev: Stacks) -> None:
    responses = dev.resources("Service", "AWS::ApiGateway::GatewayResponse").values()

    [throttled] = [r["Properties"] for r in responses if r["Properties"]["ResponseType"] == "THROTTLED"]
    assert throttled["ResponseParameters"]["gatewayresponse.header.Retry-After"] == "'1'"


def test_api_gateways_own_words_are_quoted_once() -> None:
    body = json.loads(_filled_in(template(Problem(400, "bad_request", "Bad request"))))

    assert body["detail"] == 'say "please"'


def _filled_in(text: str) -> str:
    """What API Gateway makes of a template: its message comes quoted and escaped, sometimes after a blank."""
    message = " " + json.dumps('say "please"')
    return text.replace("$context.error.messageString", message).replace("$context.requestId", "c0ffee")
