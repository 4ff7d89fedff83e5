"""The ACE-Step deployment on Modal, imported with Modal's own package and read as text.

Nothing is deployed: that needs an account, and costs.
"""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lambdas.core.models import ACE_STEP
from lambdas.core.retrying import LONGEST_WAIT
from local import ROOT
from local.environments import DEPLOY

FILE = ROOT / "deploy" / "acestep_modal.py"
TREE = ast.parse(FILE.read_text())

pytestmark = pytest.mark.xdist_group("deploy")  # which one worker makes the environment for


def values() -> Iterator[tuple[str, Any]]:
    """The module's constants that are written out."""
    for node in TREE.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            yield ast.unparse(node.targets[0]), node.value.value


def settings(function: str) -> dict[str, Any]:
    """What a function's decorators are given by name, constants by their values."""
    constants = dict(values())
    (found,) = (node for node in TREE.body if isinstance(node, ast.FunctionDef) and node.name == function)
    given = {
        keyword.arg or "**": ast.unparse(keyword.value)
        for decorator in found.decorator_list
        if isinstance(decorator, ast.Call)
        for keyword in decorator.keywords
    }
    return {name: constants.get(text, text) for name, text in given.items()}


def test_modals_own_package_takes_every_word_of_it(tmp_path: Path) -> None:
    python = DEPLOY.ensure(lambda _: None)
    show = (
        "import runpy; made = runpy.run_path('acestep_modal.py');"
        "print(made['app'].name, *(name for name in ('fetch_weights', 'serve')"
        " if type(made[name]).__name__ == 'Function'))"
    )

    run = subprocess.run(
        [python, "-W", "error", "-c", show],
        cwd=FILE.parent,
        env={"HOME": str(tmp_path), "ACESTEP_GPU": "T4"},
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert run.stderr == ""
    assert run.stdout.split() == ["cadenza-acestep", "fetch_weights", "serve"]


def test_strangers_are_turned_away_before_they_wake_anything() -> None:
    assert settings("serve")["requires_proxy_auth"] == "True"


def test_there_is_one_container_or_none_and_it_lives_on_between_two_looks() -> None:
    served = settings("serve")

    assert served["max_containers"] == "1"
    assert served["scaledown_window"] > LONGEST_WAIT
    assert "min_containers" not in served


def test_only_the_server_has_a_gpu() -> None:
    assert settings("serve")["gpu"] == "GPU"
    assert "gpu" not in settings("fetch_weights")


def test_code_and_weights_are_pinned_and_the_weights_are_those_of_the_catalogue() -> None:
    pinned = dict(values())

    assert len(pinned["REVISION"]) == 40
    assert pinned["WEIGHTS_REVISION"] == ACE_STEP.revision
    assert "revision=WEIGHTS_REVISION" in ast.unparse(TREE)
    assert "git checkout -q {REVISION}" in ast.unparse(TREE)
