"""What operators read names what the stacks have."""

import re

from infra.assets import ROOT
from tests.infra.conftest import Hosted, Stacks


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
