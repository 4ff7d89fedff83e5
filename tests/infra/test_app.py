"""app.py as people and tools start it: a process with a context and a folder to write to."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from infra.assets import ROOT
from tests.infra.conftest import Stacks, context


def start(folder: Path, **values: object) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "CDK_OUTDIR": str(folder), "CDK_CONTEXT_JSON": json.dumps(context(**values))}
    return subprocess.run(
        [sys.executable, "app.py"], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )


def test_a_process_of_its_own_writes_the_same_templates(dev: Stacks, tmp_path: Path) -> None:
    done = start(tmp_path)

    assert done.returncode == 0, done.stderr
    for stack in ("Data", "Service", "Web", "Watch"):
        file = f"Cadenza-dev-{stack}.template.json"
        assert _less_code(tmp_path / file) == _less_code(dev.folder / file)


def _less_code(template: Path) -> str:
    """The template less the keys of its assets: someone may be writing code while this runs."""
    return re.sub(r'"S3Key": "[0-9a-f]+\.zip"', "", template.read_text())


def test_an_unknown_stage_ends_with_one_clear_line_and_no_traceback(tmp_path: Path) -> None:
    done = start(tmp_path, stage="staging")

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "cadenza: no stage 'staging' in cdk.json; it has dev, prod, local"
    assert "Traceback" not in done.stderr


def test_the_command_line_that_deploys_is_pinned_to_one_that_reads_what_the_library_writes() -> None:
    package = json.loads((ROOT / "package.json").read_text())
    lock = json.loads((ROOT / "package-lock.json").read_text())

    assert package["devDependencies"] == {"aws-cdk": "2.1148.1"}
    assert lock["packages"]["node_modules/aws-cdk"]["version"] == "2.1148.1"
