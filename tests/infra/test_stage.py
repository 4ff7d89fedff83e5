from typing import Any

import pytest

from infra.stage import Stage, StageError
from tests.infra.conftest import STAGES, context

ACCEPTED = {
    "chains": {"musicgen-small": ["container"], "mock": ["mock"]},
    "accepted_licences": ["CC-BY-NC-4.0"],
    "container_url": "http://10.0.0.7:8080",
}


def read(**values: object) -> Stage:
    return Stage.from_context(context(**values).get)


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_of_cdk_json_is_valid(name: str) -> None:
    assert read(stage=name).name == name


def test_the_stage_is_dev_unless_said_otherwise() -> None:
    assert read().name == "dev"


def test_production_alone_keeps_its_data() -> None:
    assert [name for name in STAGES if read(stage=name).retain] == ["prod"]


def test_in_the_cloud_a_queue_waits_six_times_its_functions_timeout() -> None:
    assert [read(stage=name).visibility_multiple for name in ("dev", "prod")] == [6, 6]


def test_a_model_whose_licence_was_accepted_can_be_named() -> None:
    assert list(read(**ACCEPTED).chains) == ["musicgen-small", "mock"]


@pytest.mark.parametrize("name", ["MOCK", "mock"])
def test_the_mock_can_be_chosen_on_the_command_line(name: str) -> None:
    assert read(**{name: "silence"}).mock == "silence"


def test_a_value_from_the_command_line_is_text_and_counts_as_its_type() -> None:
    stage = read(budget_usd="75", alarm_email="ops@example.org", retain="true")

    assert (stage.budget_usd, stage.alarm_email, stage.retain) == (75, "ops@example.org", True)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"stage": "staging"}, "no stage 'staging' in cdk.json; it has dev, prod, local"),
        ({"MOCK": "noise"}, "stage 'dev': mock: "),
        ({"alarm_email": "ops"}, "stage 'dev': alarm_email: "),
        ({"log_days": "8"}, "stage 'dev': log_days: "),
        ({"concurrent_jobs": "1"}, "stage 'dev': concurrent_jobs: "),
        ({"site_domain": "music.example.org"}, "site_domain and site_certificate come together"),
        (
            {"chains": {"musicbox": ["mock"]}},
            "chains names the model 'musicbox'; there are mock, cascade, musicgen-",
        ),
        (
            {"chains": {"musicgen-small": ["container"]}},
            'add "CC-BY-NC-4.0" to the stage\'s accepted_licences',
        ),
        ({**ACCEPTED, "container_url": None}, "set container_url to its address"),
        ({"container_url": "http://me:secret@host"}, "stage 'dev': container_url: "),
        ({"container_url": "ftp://host"}, "stage 'dev': container_url: "),
        ({"stages": None}, "no stages in the context"),
        ({"stages": {"dev": {"targets": "host"}}}, "targets: "),
    ],
)
def test_a_wrong_value_gets_one_clear_line(values: dict[str, Any], said: str) -> None:
    with pytest.raises(StageError) as caught:
        read(**values)

    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
