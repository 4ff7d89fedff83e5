"""What docs/backends.md says of adding a model is done, block by block and word by word, to a copy."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CHANGED = ("lambdas", "tests", "docs")  # and cdk.json
SEEN = ("infra", "local", "model_container", "pyproject.toml")
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"`([\w./]+\.(?:py|md|json))`")
PLACE = re.compile(r"(above|in place of) (``.+?``|`[^`]+`):$")
LEFT = shutil.ignore_patterns("__pycache__", "engine")
SECONDS = 120


@dataclass(frozen=True)
class Step:
    """What is to be done, in words, and the block that it is done with."""

    words: str
    file: str
    kind: str
    block: str

    def take(self, folder: Path) -> None:
        path = folder / self.file
        if self.words.endswith("a new file:"):
            assert not path.exists()
            path.write_text(self.block)
        elif self.kind == "json":
            path.write_text(json.dumps(with_stage(json.loads(path.read_text()), "{" + self.block + "}")))
        else:
            path.write_text(self._written(path.read_text()))

    def _written(self, text: str) -> str:
        found = PLACE.search(self.words)
        assert found is not None, self.words
        lines = text.splitlines()
        (at,) = (nth for nth, line in enumerate(lines) if line.strip() == found[2].strip("`"))
        indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
        block = textwrap.indent(self.block, indent).splitlines()
        return "\n".join([*lines[:at], *block, *lines[at + (found[1] == "in place of") :], ""])


def with_stage(cdk: dict[str, Any], values: str) -> dict[str, Any]:
    cdk["context"]["stages"]["dev"] |= json.loads(values)
    return cdk


def steps() -> Iterator[Step]:
    """Each block of the section, with the words before it; a file that is not named is the one before."""
    page = (ROOT / "docs/backends.md").read_text()
    section, file, end = page.split("\n## A model in ten lines\n")[1].split("\n## ")[0], "", 0
    for found in BLOCK.finditer(section):
        words = " ".join(section[end : found.start()].split())
        file, end = ([file, *FILE.findall(words)])[-1], found.end()
        yield Step(words, file, found[2], textwrap.dedent(found[3]))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as it is when all steps but the commands are taken."""
    folder = tmp_path_factory.mktemp("copy")
    for name in CHANGED:
        shutil.copytree(ROOT / name, folder / name, ignore=LEFT)
    shutil.copy(ROOT / "cdk.json", folder)
    for name in SEEN:
        (folder / name).symlink_to(ROOT / name)
    for step in steps():
        if step.kind != "sh":
            step.take(folder)
    return folder


def run(folder: Path, *command: str) -> str:
    """What a command of this Python says there. Its tests are nobody's workers."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def test_the_host_has_ten_lines() -> None:
    (host,) = (step.block for step in steps() if step.file == "lambdas/backends/hum.py")

    assert len(host[host.index("@dataclass\n") :].strip().splitlines()) == 10


def test_the_model_keeps_the_contract_by_the_command_that_is_told(copy: Path) -> None:
    (command,) = (step.block.strip() for step in steps() if step.kind == "sh")
    program, *arguments = shlex.split(command)

    said = run(copy, Path(program).name, *arguments)

    assert int(re.findall(r"(\d+) passed", said)[0]) > 10
    assert "failed" not in said


def test_a_job_of_the_model_is_played_to_its_end(copy: Path) -> None:
    told = json.loads(run(copy, "tests.fakes.deployed", "hum"))

    assert told == {
        "status": "completed",
        "backend": "hum",
        "mock": False,
        "seconds": told["asked"],
        "licence": "CC0-1.0",
        "asked": 10.0,
    }
