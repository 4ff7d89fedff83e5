"""What operators read names what the stacks have."""

import re
from pathlib import Path

from aws_cdk import App

from infra.assets import ROOT
from infra.cadenza import compose
from tests.infra.conftest import Hosted, Stacks, context
from tests.infra.test_acestep import SERVER as ACESTEP
from tests.infra.test_replicate import MODEL as REPLICATE


def test_every_alarm_has_its_line_in_the_operators_guide(hosted: Hosted) -> None:
    guide = (ROOT / "docs/operations.md").read_text()
    documented = set(re.findall(r"^\| `([^`]+)` \|", guide, re.MULTILINE))
    alarms = {_plain(name) for name in hosted("async").resources("Watch", "AWS::CloudWatch::Alarm")}

    functions = {re.sub("^(Api|Conductor|Courier|Janitor)", "<Function>", name) for name in alarms}
    assert {re.sub("^[A-Z][a-z]+LeftAlone$", "<Host>LeftAlone", name) for name in functions} == documented


def _plain(logical_id: str) -> str:
    """A logical id without the hash that the CDK puts at its end."""
    return logical_id[:-8]


def test_every_output_that_the_guide_names_exists(dev: Stacks) -> None:
    guide = (ROOT / "docs/operations.md").read_text()

    for name in ("ApiUrl", "GenerateEndpoint", "SiteUrl", "MusicBucketName", "TableName", "QueueUrl"):
        assert f"`{name}`" in guide
        assert name in dev.outputs()


def test_every_secret_has_its_line_in_the_page_on_security(tmp_path: Path) -> None:
    guide = (ROOT / "docs/security.md").read_text()
    documented = set(re.findall(r"^\| `(\w+SecretName)` \|", guide, re.MULTILINE))
    hosts = {"replicate": REPLICATE, "acestep": ACESTEP, "accepted_licences": ["CC-BY-NC-4.0"]}
    chains = {"musicgen-large": ["replicate"], "ace-step-1.5": ["acestep"], "mock": ["mock"]}
    app = App(outdir=str(tmp_path), context=context(stage="dev", chains=chains, **hosts))

    compose(app)
    app.synth()

    stacks = Stacks("dev", app, tmp_path)
    assert {name for name in stacks.outputs() if name.endswith("SecretName")} == documented
    assert len(stacks.resources("Data", "AWS::SecretsManager::Secret")) == len(documented)
