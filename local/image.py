"""`make image`: what the Dockerfile of the model container does, without Docker, in a folder that is new.

Replays the COPY and RUN lines of the build stage and then looks at what the image would hold. Knows the
Dockerfile's few instructions; cannot tell whether the base image has what the lines need.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from local import ROOT, LocalError

DOCKERFILE = ROOT / "model_container" / "Dockerfile"
STAGE = "build"
FOREIGN = "torch", "transformers"  # gigabytes that the image must not hold
SYSTEM = "apt-get"  # lines that change the machine, which has its own compiler


def instructions(text: str, stage: str) -> Iterator[tuple[str, str]]:
    """(instruction, arguments) of a stage, continued lines joined."""
    current = ""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        name, _, arguments = line.strip().partition(" ")
        if name == "FROM":
            current = arguments.rpartition(" ")[2]
        elif name and current == stage:
            yield name, " ".join(arguments.split())


def replay(folder: Path) -> None:
    """Do in `folder` what the stage does in an image's root. Raises LocalError."""
    work = folder
    for name, arguments in instructions(DOCKERFILE.read_text(), STAGE):
        if name == "WORKDIR":
            work = folder / arguments.lstrip("/")
            work.mkdir(parents=True)
        elif name == "COPY":
            *sources, target = arguments.split()
            for source in sources:
                _copy(ROOT / source, work / target)
        elif name == "RUN" and SYSTEM not in arguments:
            for command in arguments.split(" && "):
                _run(folder, work, command)


def _copy(source: Path, target: Path) -> None:
    if source.is_file():
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    else:
        ignored = shutil.ignore_patterns("__pycache__", "*.so", "lock")
        shutil.copytree(source, target, ignore=ignored, dirs_exist_ok=True)


def _run(folder: Path, work: Path, command: str) -> str:
    """A command of the Dockerfile, with the image's /opt in the folder."""
    print(f"  {command}", flush=True)
    words = [f"{folder}{word}" if word.startswith("/opt/") else word for word in command.split()]
    if words[0] == "python":
        words[0] = sys.executable
    done = subprocess.run(words, cwd=work, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()
        raise LocalError(f"`{command}` failed: {said[-1]}")
    return done.stdout


def check(folder: Path) -> str:
    """What the image would hold, in a line. Raises LocalError."""
    listed = _run(folder, folder / "app", "/opt/venv/bin/pip list --format=freeze").lower().splitlines()
    foreign = [name for name in FOREIGN if any(line.startswith(f"{name}==") for line in listed)]
    if foreign:
        raise LocalError(f"The image would hold {' and '.join(foreign)}.")
    kernels = list((folder / "app" / "model_container" / "native" / "build").glob("*.so"))
    if len(kernels) != 1:
        raise LocalError("The kernels were not compiled.")
    _run(folder, folder / "app", "/opt/venv/bin/python -m model_container.serve --help")
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    return f"The CPU image adds {size / 1e6:.0f} MB to its base: {len(listed)} packages, compiled kernels."


def main() -> int:
    try:
        with tempfile.TemporaryDirectory(prefix="cadenza-image-") as name:
            replay(Path(name))
            print(check(Path(name)))
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
