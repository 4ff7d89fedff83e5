"""What the laptop counts on in the emulator: its private points, and what our front adds around it."""

import json
import subprocess

import httpx
import pytest

from local.cloud import LocalCloud
from local.environments import EMULATOR

PRIVATE_POINTS = """
import inspect, json
from ministack import app
from ministack.core import iam_evaluator, persistence
print(json.dumps({
    "app": inspect.iscoroutinefunction(app.app) and list(inspect.signature(app.app).parameters),
    "auth": app.AUTH,
    "wait": list(inspect.signature(app._wait_for_port).parameters),
    "states": callable(app._build_persistence_save_dict()["sqs"]),
    "save": list(inspect.signature(persistence.save_all).parameters),
    "pin": list(inspect.signature(iam_evaluator.pin_request_origin).parameters),
}))
"""


@pytest.fixture
def page(cloud: LocalCloud) -> httpx.Response:
    return httpx.get(cloud.site_url, trust_env=False)


def test_the_emulators_private_points_are_where_the_front_looks_for_them() -> None:
    code = "import ministack.services.sqs\n" + PRIVATE_POINTS

    told = subprocess.run([EMULATOR.ensure(), "-c", code], capture_output=True, text=True, check=True, env={})

    assert json.loads(told.stdout) == {
        "app": ["scope", "receive", "send"],
        "auth": False,
        "wait": ["port", "timeout"],
        "states": True,
        "save": ["services"],
        "pin": ["source_ip", "secure_transport"],
    }


def test_the_studio_is_served_with_the_security_headers_of_its_distribution(page: httpx.Response) -> None:
    assert page.status_code == 200
    assert "(CloudFront)" in page.headers["via"]
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["x-frame-options"] == "DENY"
    assert "max-age" in page.headers["strict-transport-security"]


def test_the_page_may_play_audio_from_the_emulated_bucket(cloud: LocalCloud, page: httpx.Response) -> None:
    directives = dict(
        part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";")
    )

    assert cloud.endpoint in directives["media-src"].split()
    assert cloud.endpoint in directives["connect-src"].split()
    assert cloud.endpoint not in directives["script-src"]


def test_only_the_page_and_the_api_share_the_front_port(cloud: LocalCloud) -> None:
    answers = [
        httpx.get(f"{cloud.site_url}{path}", trust_env=False) for path in ("v1/health", "v1x", "songs/1")
    ]

    assert answers[0].json()["status"] == "ok"
    assert ["<title>Cadenza</title>" in answer.text for answer in answers[1:]] == [True, True]


@pytest.mark.parametrize("path", ["/_ministack/reset", "/_ministack/config"])
def test_no_page_in_a_browser_can_wipe_the_state(cloud: LocalCloud, path: str) -> None:
    assert httpx.post(f"{cloud.endpoint}{path}", trust_env=False).status_code == 403


def test_rows_expire_as_the_template_says(cloud: LocalCloud) -> None:
    tables = [cloud.outputs["TableName"], cloud.outputs["LedgerTableName"]]

    said = [cloud.client("dynamodb").describe_time_to_live(TableName=table) for table in tables]

    assert [each["TimeToLiveDescription"]["AttributeName"] for each in said] == ["ttl", "ttl"]
    assert {each["TimeToLiveDescription"]["TimeToLiveStatus"] for each in said} == {"ENABLED"}


def test_a_development_certificate_is_in_its_secret(cloud: LocalCloud) -> None:
    name = cloud.outputs["ProvenanceSecretName"]

    held = json.loads(cloud.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"])

    assert held["certificate"].count("BEGIN CERTIFICATE") == 2
    assert "PRIVATE KEY" in held["private_key"]


def test_the_outputs_lead_here_and_not_to_the_cloud(cloud: LocalCloud) -> None:
    assert cloud.outputs["ApiUrl"] == cloud.api_url
    assert cloud.outputs["GenerateEndpoint"] == f"{cloud.api_url}/generate"
    assert cloud.outputs["SiteUrl"] == cloud.site_url.rstrip("/")


def test_functions_see_nothing_of_the_environment_that_started_them(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("CADENZA_SECRET", "hush")

    handed_on = cloud.emulator.environment()

    assert not {"AWS_PROFILE", "CADENZA_SECRET"} & handed_on.keys()
    assert handed_on["AWS_ACCESS_KEY_ID"] == "test"
