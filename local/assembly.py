"""Synthesizes the CDK app and reads the cloud assembly it writes.

Keeps an assembly for as long as nothing it was made from changes, since synthesizing takes most of a start.
Knows the assembly's format (cloud-assembly-schema 55); knows nothing of where it will be deployed.
"""

import contextlib
import hashlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import ACCOUNT, REGION, ROOT, LocalError
from local.environments import Say, reason

SOURCES = ("app.py", "cdk.json", "requirements.txt", "infra", "lambdas", "web")
KEPT = 12  # the tests alone make eight


@dataclass(frozen=True)
class Asset:
    """A file or a folder that a template refers to, and the key it expects it under."""

    path: Path
    key: str


@dataclass(frozen=True)
class Stack:
    name: str
    template: dict[str, Any]
    assets: tuple[Asset, ...]
    dependencies: tuple[str, ...]


def synthesize(folder: Path, context: Mapping[str, Any], say: Say) -> Path:
    """The cloud assembly of the app with this context, from `folder` when it is there. Raises LocalError."""
    made = folder / _fingerprint(context)
    if not (made / "manifest.json").exists():
        say("Synthesizing the stacks (up to a minute when the functions' packages are not built yet) …")
        draft = folder / f"draft-{os.getpid()}"
        _run_app(draft, context)
        try:
            draft.rename(made)
        except OSError:  # another run of the same sources was first
            shutil.rmtree(draft, ignore_errors=True)
        _forget_oldest(folder)
    os.utime(made)
    return made


def read_stacks(assembly: Path) -> list[Stack]:
    """The assembly's stacks, each after those it depends on."""
    artifacts: dict[str, Any] = json.loads((assembly / "manifest.json").read_text())["artifacts"]
    stacks = {
        name: _read_stack(assembly, name, artifact, artifacts)
        for name, artifact in artifacts.items()
        if artifact["type"] == "aws:cloudformation:stack"
    }
    return list(_in_order(stacks))


def _read_stack(assembly: Path, name: str, artifact: dict[str, Any], artifacts: dict[str, Any]) -> Stack:
    properties = artifact["properties"]
    needed = artifact.get("dependencies", [])
    manifests = [
        assembly / artifacts[each]["properties"]["file"] for each in needed if _is_asset(artifacts[each])
    ]
    return Stack(
        name=properties.get("stackName", name),
        template=json.loads((assembly / properties["templateFile"]).read_text()),
        assets=tuple(asset for manifest in manifests for asset in _read_assets(manifest)),
        dependencies=tuple(each for each in needed if not _is_asset(artifacts[each])),
    )


def _is_asset(artifact: dict[str, Any]) -> bool:
    return bool(artifact["type"] == "cdk:asset-manifest")


def _read_assets(manifest: Path) -> Iterator[Asset]:
    for entry in json.loads(manifest.read_text()).get("files", {}).values():
        if "path" in entry["source"]:
            for destination in entry["destinations"].values():
                yield Asset(manifest.parent / entry["source"]["path"], destination["objectKey"])


def _in_order(stacks: dict[str, Stack]) -> Iterator[Stack]:
    done: set[str] = set()

    def visit(name: str) -> Iterator[Stack]:
        if name in stacks and name not in done:
            done.add(name)
            for dependency in stacks[name].dependencies:
                yield from visit(dependency)
            yield stacks[name]

    for name in stacks:
        yield from visit(name)


def _fingerprint(context: Mapping[str, Any]) -> str:
    salt = (platform.machine(), platform.system(), sys.version, json.dumps(context, sort_keys=True))
    digest = hashlib.sha256(repr(salt).encode())
    for file in _files():
        digest.update(f"{file.relative_to(ROOT)}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:20]


def _files() -> Iterator[Path]:
    for source in SOURCES:
        path = ROOT / source
        found = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (file for file in found if file.is_file() and "__pycache__" not in file.parts)


def _run_app(output: Path, context: Mapping[str, Any]) -> None:
    """Run app.py as the CDK command line would, without paying for the command line."""
    shutil.rmtree(output, ignore_errors=True)
    settings: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]
    # Assets are read where they were built; a copy of each in every assembly would fill the disk.
    settings |= {"aws:cdk:disable-asset-staging": True, "aws:cdk:bundling-stacks": ["**"], **context}
    environment = os.environ | {
        "CDK_OUTDIR": str(output),
        "CDK_CONTEXT_JSON": json.dumps(settings),
        "CDK_DEFAULT_ACCOUNT": ACCOUNT,
        "CDK_DEFAULT_REGION": REGION,
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
    }
    process = subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said = process.communicate()[0]
    finally:
        # jsii's node and pip are its children; stopped halfway, none may stay behind.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.returncode != 0:
        raise LocalError(reason("The CDK app could not be synthesized", said))


def _forget_oldest(folder: Path) -> None:
    made = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in made[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
