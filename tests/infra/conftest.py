"""The stacks of each stage, synthesized once for all tests that ask, and read from the templates."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Validations

from infra.assets import ROOT
from infra.cadenza import compose

Resources = dict[str, dict[str, Any]]
STAGES = ("dev", "prod", "local")


def context(**values: object) -> dict[str, Any]:
    """What cdk.json and `-c name=value` give an app."""
    return {**json.loads((ROOT / "cdk.json").read_text())["context"], **values}


@dataclass(frozen=True)
class Stacks:
    stage: str
    app: App
    folder: Path

    def template(self, stack: str) -> dict[str, Any]:
        text = (self.folder / f"Cadenza-{self.stage}-{stack}.template.json").read_text()
        template: dict[str, Any] = json.loads(text)
        return template

    def resources(self, stack: str, kind: str) -> Resources:
        """Logical id → the whole resource, for each of that type."""
        found = self.template(stack)["Resources"]
        return {name: resource for name, resource in found.items() if resource["Type"] == kind}

    def properties(self, stack: str, kind: str, prefix: str = "") -> dict[str, Any]:
        """Those of the one resource of that type whose logical id begins so."""
        [found] = [r for name, r in self.resources(stack, kind).items() if name.startswith(prefix)]
        properties: dict[str, Any] = found["Properties"]
        return properties

    def outputs(self) -> dict[str, Any]:
        """Name → value, less those that only carry references between the stacks."""
        every = [self.template(stack)["Outputs"] for stack in ("Data", "Service", "Web", "Watch")]
        return {
            name: o["Value"] for part in every for name, o in part.items() if not name.startswith("Export")
        }

    def accepted(self) -> list[tuple[str, str, str]]:
        """(construct, rule, reason) of every deviation from the rules."""
        key = Validations.ACKNOWLEDGED_RULES_METADATA_KEY
        return [
            (construct.node.path, rule, reason)
            for construct in self.app.node.find_all()
            for entry in construct.node.metadata
            if entry.type == key
            for rule, reason in entry.data.items()
        ]


def spelled(value: dict[str, Any]) -> str:
    """A joined value with each reference by what it refers to."""
    _, parts = value["Fn::Join"]
    return "".join(part if isinstance(part, str) else str(next(iter(part.values()))) for part in parts)


Hosted = Callable[..., Stacks]


@pytest.fixture(scope="session")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Stacks]:
    @cache
    def synthesized(stage: str) -> Stacks:
        folder = tmp_path_factory.mktemp(stage)
        app = App(outdir=str(folder), context=context(stage=stage))
        compose(app)
        app.synth()
        return Stacks(stage, app, folder)

    return synthesized


@pytest.fixture(scope="session")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Hosted:
    """The development stage with an endpoint; more values of its context as pairs."""

    @cache
    def synthesized(mode: str, *values: tuple[str, object]) -> Stacks:
        folder = tmp_path_factory.mktemp(mode)
        said = {"endpoint": mode, "accepted_licences": ["CC-BY-NC-4.0"], **dict(values)}
        app = App(outdir=str(folder), context=context(**said))
        compose(app)
        app.synth()
        return Stacks("dev", app, folder)

    return synthesized


@pytest.fixture
def dev(stacks: Callable[[str], Stacks]) -> Stacks:
    return stacks("dev")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Workers that run tests in parallel keep these on one of them, so that they share one synthesis."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.xdist_group("infra"))
