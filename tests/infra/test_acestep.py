"""A stage that an ACE-Step server works for: what it adds, and that without it there is nothing of it."""

import json
from typing import get_args

import pytest
from aws_cdk import App

from infra.cadenza import compose
from infra.stage import Stage, StageError
from lambdas.core.prices import PRICES
from lambdas.settings import VARIABLE, ModalHardware
from tests.infra.conftest import Stacks, context

SERVER = {"url": "https://you--acestep.modal.run", "hardware": "l4"}
CHAINS = {"ace-step-1.5": ["acestep"], "mock": ["mock"]}


@pytest.fixture(scope="module")
def singing(tmp_path_factory: pytest.TempPathFactory) -> Stacks:
    folder = tmp_path_factory.mktemp("acestep")
    app = App(outdir=str(folder), context=context(stage="dev", chains=CHAINS, acestep=SERVER))
    compose(app)
    app.synth()
    return Stacks("dev", app, folder)


def test_the_conductor_is_told_of_the_server_and_of_its_credentials_name_alone(singing: Stacks) -> None:
    told = singing.properties("Service", "AWS::Lambda::Function", "ConductorFunction")
    said = json.dumps(told["Environment"]["Variables"][VARIABLE])

    assert SERVER["url"] in said
    assert "AceStep" in said  # the reference to the secret's ARN
    assert "api_key" not in said


def test_the_conductor_alone_may_read_the_credentials(singing: Stacks) -> None:
    policies = singing.resources("Service", "AWS::IAM::Policy")

    readers = [name for name, policy in policies.items() if "AskAceStep" in json.dumps(policy)]

    assert [name.startswith("ConductorRole") for name in readers] == [True]


def test_the_secret_starts_without_keys(singing: Stacks) -> None:
    secret = singing.properties("Data", "AWS::SecretsManager::Secret", "AceStep")

    assert secret["SecretString"] == "{}"
    assert "AceStepSecretName" in singing.outputs()


def test_a_stage_without_a_server_has_no_secret_for_one(dev: Stacks) -> None:
    assert "AceStep" not in json.dumps(dev.template("Data"))
    assert "AskAceStep" not in json.dumps(dev.template("Service"))


def test_a_chain_that_needs_a_server_is_refused_without_one() -> None:
    with pytest.raises(StageError, match="set acestep to its server's values"):
        Stage.from_context(context(chains=CHAINS).get)


def test_an_address_with_a_password_in_it_is_refused() -> None:
    server = {"url": "https://me:secret@acestep.example"}

    with pytest.raises(StageError, match="acestep"):
        Stage.from_context(context(chains=CHAINS, acestep=server).get)


def test_every_hardware_that_may_be_named_has_a_price() -> None:
    assert set(get_args(ModalHardware)) == set(PRICES["modal"])
