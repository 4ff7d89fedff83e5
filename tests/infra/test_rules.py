import json
from collections.abc import Callable
from pathlib import Path

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_s3 as s3

from infra.cadenza import compose
from tests.infra.conftest import STAGES, Stacks, context


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_keeps_the_solutions_rules_and_warns_of_nothing(
    stacks: Callable[[str], Stacks], stage: str
) -> None:
    report = json.loads((stacks(stage).folder / "validation-report.json").read_text())

    assert report["title"] == "Validation Report"
    assert [finding for plugin in report["pluginReports"] for finding in plugin["violations"]] == []


def test_a_stack_that_breaks_a_rule_is_not_synthesized(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path), context=context())
    compose(app)
    s3.Bucket(Stack(app, "Careless"), "Open")

    with pytest.raises(RuntimeError, match="AwsSolutions-S10"):
        app.synth()


@pytest.mark.parametrize("stage", STAGES)
def test_each_deviation_names_one_finding_and_says_why(stacks: Callable[[str], Stacks], stage: str) -> None:
    accepted = stacks(stage).accepted()

    assert accepted
    for construct, rule, reason in accepted:
        assert len(reason.split()) >= 6, (construct, rule)
        assert construct.count("/") >= 1, f"{rule} is accepted for a whole stack: {construct}"
