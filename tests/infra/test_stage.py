from collections.abc import Callable
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


HOSTED = {"endpoint": "async", "accepted_licences": ["CC-BY-NC-4.0"]}


def test_an_endpoint_has_sensible_values_and_any_of_them_can_be_said() -> None:
    sensible, said = read(**HOSTED).endpoint, read(**HOSTED, endpoint_instances="3").endpoint

    assert sensible is not None
    assert said is not None
    assert (sensible.model, sensible.instance, sensible.instances) == ("musicgen-small", "ml.g5.xlarge", 1)
    assert said.instances == 3


def test_a_stage_with_values_for_an_endpoint_and_no_mode_has_none() -> None:
    assert read(endpoint_instance="ml.g6.xlarge").endpoint is None


@pytest.mark.parametrize("budget", ["daily_budget_usd", "principal_daily_budget_usd"])
def test_a_budget_that_could_not_count_what_an_endpoint_costs_is_refused(budget: str) -> None:
    none = {"daily_budget_usd": "none", "principal_daily_budget_usd": "none"}
    unpriced = {**HOSTED, "endpoint": "gpu", "endpoint_instance": "ml.g5.48xlarge", **none}

    with pytest.raises(StageError) as caught:
        read(**{**unpriced, budget: "3"})

    assert str(caught.value) == (
        "stage 'dev': values: ml.g5.48xlarge has no price in lambdas/core/prices.py, so a daily budget would "
        "count its music as free: add its price there, choose another endpoint_instance, or say "
        "daily_budget_usd=none and principal_daily_budget_usd=none"
    )
    assert "sagemaker" not in read(**unpriced).hardware
    assert read(**{**unpriced, budget: "3", "endpoint_instance": "ml.g5.xlarge"}).endpoint is not None


def test_an_endpoint_stands_before_a_models_other_hosts_and_after_what_chains_say_themselves() -> None:
    hosts = {**HOSTED, "container_url": "http://10.0.0.7:8080"}
    unsaid = {"mock": ["mock"], "musicgen-small": ["container"]}
    said = {"mock": ["mock"], "musicgen-small": ["container", "sagemaker"]}

    assert list(read(**hosts, chains=unsaid).chains.items()) == [
        ("musicgen-small", ("sagemaker", "container")),
        ("mock", ("mock",)),
    ]
    assert read(**hosts, chains=said).chains == {name: tuple(each) for name, each in said.items()}


def test_a_trained_cascade_is_hosted_without_any_licence_to_accept() -> None:
    assert read(endpoint="serverless", endpoint_model="cascade").chains["cascade"] == ("sagemaker",)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"endpoint": "async"}, 'add "CC-BY-NC-4.0" to the stage\'s accepted_licences'),
        ({**HOSTED, "endpoint": "fast"}, "endpoint.mode: "),
        ({**HOSTED, "endpoint_model": "mock"}, "an endpoint can host cascade, musicgen-small"),
        ({**HOSTED, "endpoint_model": "musicbox"}, "endpoint_model is 'musicbox'"),
        (
            {**HOSTED, "endpoint": "serverless", "endpoint_model": "musicgen-medium"},
            "no GPU, at most 6144 MB, 60 s for an answer",
        ),
        (
            {**HOSTED, "endpoint": "serverless", "endpoint_model": "musicgen-large"},
            "new accounts have no quota until they ask AWS for it",
        ),
        ({**HOSTED, "endpoint": "serverless", "endpoint_memory_mb": "8192"}, "endpoint.memory_mb: "),
        ({**HOSTED, "endpoint_instance": "g5.xlarge"}, "the image does not run on 'g5.xlarge'"),
        ({**HOSTED, "endpoint_instance": "ml.nonsense.xlarge"}, "but on ml.<family>.<size> of the families"),
        ({**HOSTED, "endpoint_instance": "ml.g5"}, "the image does not run on 'ml.g5'"),
        ({**HOSTED, "endpoint_image": "docker.io/me/cadenza:1"}, "endpoint.image: "),
        ({**HOSTED, "endpoint_weights": "s3://bucket/no-slash"}, "endpoint.weights: "),
        ({**HOSTED, "endpoint_weights": "s3://bucket/small.tar.gz"}, "gpu and async a folder"),
        (
            {**HOSTED, "endpoint": "serverless", "endpoint_weights": "s3://bucket/small/"},
            "serverless takes an archive",
        ),
        (
            {"chains": {"cascade": ["sagemaker"]}},
            "chains gives cascade to sagemaker: choose endpoint=serverless, gpu or async",
        ),
        (
            {**HOSTED, "chains": {"cascade": ["sagemaker"]}},
            "chains gives cascade to sagemaker; its endpoint_model is musicgen-small",
        ),
    ],
)
def test_a_wrong_value_about_the_endpoint_gets_one_clear_line(values: dict[str, Any], said: str) -> None:
    with pytest.raises(StageError) as caught:
        read(**values)

    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_licences_may_be_accepted_on_the_command_line() -> None:
    values = {"accepted_licences": "CC-BY-NC-4.0, MIT", "chains": {"musicgen-small": ["mock"]}}

    assert read(**values).accepted_licences == ("CC-BY-NC-4.0", "MIT")


VERSION = "671ac645ce5e552cc63a54a2bbff63fcf798043055d2dac5fc9e36a837eedcfb"
HOSTS: dict[str, Callable[[str], dict[str, Any]]] = {
    "container_url": lambda url: {"container_url": url},
    "acestep.url": lambda url: {"acestep": {"url": url}},
    "replicate.base_url": lambda url: {"replicate": {"version": VERSION, "hardware": "t4", "base_url": url}},
}


@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize(
    "url",
    ["http://music.example.org", "http://8.8.8.8:8001", "http://[2606:4700::1111]/v1", "http://A.B.CO./x"],
)
def test_what_is_told_to_a_host_is_not_sent_in_plain_text_over_the_internet(name: str, url: str) -> None:
    with pytest.raises(StageError) as caught:
        read(**HOSTS[name](url))

    assert f"{name} is {url}: over plain http" in str(caught.value)
    assert "use https" in str(caught.value)


@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize(
    "url",
    [
        "https://music.example.org",
        "http://127.0.0.1:4602",
        "http://[::1]:8001",
        "http://localhost:8001",
        "http://10.0.0.7:8080",
        "http://172.20.1.1",
        "http://192.168.1.5:8001",
        "http://[fd00::7]",
        "http://gpu.internal:8001",
        "http://acestep:8001",
    ],
)
def test_on_this_machine_and_in_a_private_network_plain_http_will_do(name: str, url: str) -> None:
    assert read(**HOSTS[name](url))
