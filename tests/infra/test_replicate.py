"""A stage whose chains lead to Replicate: what it adds, and that without it there is nothing of it."""

import json
from typing import get_args

import pytest
from aws_cdk import App

from infra.cadenza import compose
from infra.stage import Stage, StageError
from lambdas.core.prices import PRICES
from lambdas.settings import VARIABLE, ReplicateHardware
from tests.infra.conftest import Stacks, context

MODEL = {"version": "671ac645" + "0" * 56, "hardware": "a100-80gb"}
CHAINS = {"musicgen-large": ["replicate"], "mock": ["mock"]}
ACCEPTED = ["CC-BY-NC-4.0"]


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Stacks:
    folder = tmp_path_factory.mktemp("replicate")
    values = context(stage="dev", chains=CHAINS, replicate=MODEL, accepted_licences=ACCEPTED)
    app = App(outdir=str(folder), context=values)
    compose(app)
    app.synth()
    return Stacks("dev", app, folder)


def environment(stacks: Stacks, function: str) -> str:
    told = stacks.properties("Service", "AWS::Lambda::Function", f"{function}Function")
    return json.dumps(told["Environment"]["Variables"][VARIABLE])


def test_the_conductor_is_told_of_the_version_where_to_be_called_and_the_tokens_name(asking: Stacks) -> None:
    said = environment(asking, "Conductor")

    assert MODEL["version"] in said
    assert "ReplicateToken" in said
    assert "/v1/callbacks/replicate" in said
    assert "ReplicateWebhook" not in said


def test_the_api_is_told_of_the_secret_that_webhooks_are_signed_with(asking: Stacks) -> None:
    said = environment(asking, "Api")

    assert "ReplicateWebhook" in said
    assert "ReplicateToken" not in said


@pytest.mark.parametrize(("right", "role"), [("AskReplicate", "Conductor"), ("HearReplicate", "Api")])
def test_each_secret_is_one_functions_alone(asking: Stacks, right: str, role: str) -> None:
    policies = asking.resources("Service", "AWS::IAM::Policy")

    readers = [name for name, policy in policies.items() if right in json.dumps(policy)]

    assert [name.startswith(f"{role}Role") for name in readers] == [True]


@pytest.mark.parametrize("name", ["ReplicateToken", "ReplicateWebhook"])
def test_a_secret_starts_empty_and_an_operator_can_find_it(asking: Stacks, name: str) -> None:
    secret = asking.properties("Data", "AWS::SecretsManager::Secret", name)

    assert secret["SecretString"].strip() == ""
    assert f"{name}SecretName" in asking.outputs()


def test_a_stage_without_it_has_nothing_of_it(dev: Stacks) -> None:
    assert "Replicate" not in json.dumps(dev.template("Data"))
    assert "Replicate" not in json.dumps(dev.template("Service"))


def test_a_chain_that_leads_there_is_refused_without_a_version() -> None:
    with pytest.raises(StageError, match="set replicate to a version and hardware"):
        Stage.from_context(context(chains=CHAINS, accepted_licences=ACCEPTED).get)


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": "latest"},
        {"version": "671ac645"},
        {"hardware": "a100"},
        {"cancel_after": 10},
        {"token": "r8_secret"},
        {"base_url": "https://me:secret@api.replicate.com/v1"},
    ],
)
def test_a_value_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(StageError, match="replicate"):
        Stage.from_context(context(replicate=MODEL | wrong).get)


def test_every_hardware_that_may_be_named_has_a_price() -> None:
    assert set(get_args(ReplicateHardware)) == set(PRICES["replicate"])
