import json
from collections.abc import Callable
from typing import Any

import pytest

from lambdas.telemetry import NAMESPACE
from tests.infra.conftest import STAGES, Hosted, Stacks

ALARM = "AWS::CloudWatch::Alarm"
OUTPUTS = ("ApiUrl", "GenerateEndpoint", "MusicBucketName", "TableName", "QueueUrl", "SiteUrl")


def alarms(stacks: Stacks) -> dict[str, dict[str, Any]]:
    return {name[:-8]: each["Properties"] for name, each in stacks.resources("Watch", ALARM).items()}


def test_an_alarm_stands_for_each_way_of_failing(dev: Stacks) -> None:
    functions = ("Api", "Conductor", "Courier", "Janitor")

    assert set(alarms(dev)) == {
        *("DeadJobs", "DeadDeliveries", "JobsWait", "ServerErrors", "Latency", "BudgetSpent"),
        *(f"{name}Errors" for name in functions),
        *(f"{name}Throttles" for name in functions),
    }


@pytest.mark.parametrize("stage", STAGES)
def test_every_alarm_reaches_the_topic_and_says_what_it_means(
    stacks: Callable[[str], Stacks], stage: str
) -> None:
    [topic] = stacks(stage).resources("Watch", "AWS::SNS::Topic")

    for alarm in alarms(stacks(stage)).values():
        assert alarm["AlarmActions"] == [{"Ref": topic}]
        assert alarm["OKActions"] == [{"Ref": topic}]
        assert alarm["TreatMissingData"] == "notBreaching"
        assert len(alarm["AlarmDescription"]) > 30


def test_one_dead_letter_is_enough_even_while_somebody_looks_at_it(dev: Stacks) -> None:
    for name in ("DeadJobs", "DeadDeliveries"):
        alarm = alarms(dev)[name]
        assert (alarm["Threshold"], alarm["EvaluationPeriods"]) == (1, 1)
        metrics = {each["Id"]: each for each in alarm["Metrics"]}
        [total] = (each for each in metrics.values() if "Expression" in each)
        assert total["Expression"] == "visible + hidden"
        for id, state in (("visible", "Visible"), ("hidden", "NotVisible")):
            metric = metrics[id]["MetricStat"]["Metric"]
            assert metric["MetricName"] == f"ApproximateNumberOfMessages{state}"
            assert f"Queues{name}" in json.dumps(metric["Dimensions"])


def test_waiting_and_slowness_are_measured_against_the_stages_values(dev: Stacks) -> None:
    wait, latency = alarms(dev)["JobsWait"], alarms(dev)["Latency"]

    assert (wait["MetricName"], wait["Threshold"]) == ("ApproximateAgeOfOldestMessage", 600)
    assert (latency["MetricName"], latency["ExtendedStatistic"], latency["Threshold"]) == (
        "Latency",
        "p95",
        5000,
    )


def test_the_topic_hears_alarms_and_budgets_of_this_account_alone(dev: Stacks) -> None:
    policy = dev.properties("Watch", "AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]

    [allowed] = [statement for statement in policy if statement["Effect"] == "Allow"]
    assert set(allowed["Principal"]["Service"]) == {"cloudwatch.amazonaws.com", "budgets.amazonaws.com"}
    assert allowed["Action"] == "sns:Publish"
    assert allowed["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


@pytest.mark.parametrize(("stage", "dollars"), [("dev", 20), ("prod", 200)])
def test_a_budget_warns_before_and_when_the_stages_amount_is_reached(
    stacks: Callable[[str], Stacks], stage: str, dollars: int
) -> None:
    budget = stacks(stage).properties("Watch", "AWS::Budgets::Budget")

    assert budget["Budget"]["BudgetLimit"] == {"Amount": dollars, "Unit": "USD"}
    warnings = budget["NotificationsWithSubscribers"]
    assert {w["Notification"]["NotificationType"] for w in warnings} == {"ACTUAL", "FORECASTED"}
    assert all(w["Subscribers"][0]["SubscriptionType"] == "SNS" for w in warnings)


def test_the_dashboard_shows_every_queue_and_function(dev: Stacks) -> None:
    body = json.dumps(dev.properties("Watch", "AWS::CloudWatch::Dashboard")["DashboardBody"])

    for part in ("QueuesJobs", "QueuesDeliveries", "QueuesDeadJobs", "QueuesDeadDeliveries"):
        assert part in body
    for function in ("Api", "Conductor", "Courier", "Janitor"):
        assert f"{function}Function" in body


@pytest.mark.parametrize("stage", STAGES)
def test_the_outputs_have_the_names_that_people_script_against(
    stacks: Callable[[str], Stacks], stage: str
) -> None:
    outputs = stacks(stage).outputs()

    assert set(OUTPUTS) <= set(outputs)
    assert json.dumps(outputs["ApiUrl"]).endswith('/v1"]]}')
    assert json.dumps(outputs["GenerateEndpoint"]).endswith('/v1/generate"]]}')


def test_every_function_of_ours_differs_between_stages_in_code_and_processor_alone(
    stacks: Callable[[str], Stacks],
) -> None:
    def shape(stage: str) -> dict[str, Any]:
        functions = stacks(stage).resources("Service", "AWS::Lambda::Function")
        variable = {"Code", "Architectures", "Environment", "Tags"}
        return {
            name: {key: value for key, value in each["Properties"].items() if key not in variable}
            for name, each in functions.items()
        }

    assert shape("local") == shape("dev") == shape("prod")


def test_each_host_that_may_fail_has_an_alarm_for_when_it_is_left_alone(hosted: Hosted) -> None:
    found = alarms(hosted("async"))

    assert [name for name in found if name.endswith("LeftAlone")] == ["SagemakerLeftAlone"]
    alarm = found["SagemakerLeftAlone"]
    assert (alarm["Namespace"], alarm["MetricName"]) == (NAMESPACE, "BreakersOpened")
    assert alarm["Dimensions"] == [{"Name": "backend", "Value": "sagemaker"}]


def test_a_spent_budget_of_the_stage_is_told_and_a_callers_own_is_not(dev: Stacks) -> None:
    alarm = alarms(dev)["BudgetSpent"]

    assert (alarm["Namespace"], alarm["MetricName"]) == (NAMESPACE, "BudgetRefusals")
    assert alarm["Dimensions"] == [{"Name": "code", "Value": "budget_exhausted"}]
