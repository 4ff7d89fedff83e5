"""Prepares what a fresh machine lacks: our Python environment, the emulator's, the pinned CDK command line.

Standard library only, since it runs before anything is installed: `python3 -m local.environments NAME …`.
An environment is rebuilt when the hash of its requirement files, or the Python that made it, changes.
"""

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local import ROOT, LocalError

OLDEST_NODE = 20
TORCH = "2.13.0"  # as in model_container/requirements-dev.txt
TORCH_CPU = "https://download.pytorch.org/whl/cpu"
UNREACHABLE = re.compile(
    r"from versions: none|NewConnectionError|ConnectTimeout|ReadTimeout|Max retries|"
    r"name resolution|ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|ECONNRESET"
)

Say = Callable[[str], None]


def _print(text: str) -> None:
    print(text, flush=True)


@dataclass(frozen=True)
class Environment:
    """A virtual environment and the requirement files that it follows; the first includes the others."""

    folder: str
    requirements: tuple[str, ...]
    purpose: str
    torch: str | None = None  # the version to take as a CPU build, where there is one

    @property
    def python(self) -> Path:
        return ROOT / self.folder / "bin" / "python"

    @property
    def ready(self) -> bool:
        """Whether it is there, and not stale."""
        return (
            self.python.exists() and self._stamp.exists() and self._stamp.read_text() == self._fingerprint()
        )

    def ensure(self, say: Say = _print) -> Path:
        """Its Python, after building it when missing or stale. Raises LocalError."""
        if not self.ready:
            say(f"Installing {self.purpose} into {self.folder} …")
            if not self.python.exists():
                _run(
                    [sys.executable, "-m", "venv", str(ROOT / self.folder)], "Python cannot make environments"
                )
            if self.torch is not None:
                _install_torch(self.python, self.torch, say)
            _install_python(self.python, ROOT / self.requirements[0])
            self._stamp.write_text(self._fingerprint())
        return self.python

    @property
    def _stamp(self) -> Path:
        return ROOT / self.folder / ".made-from"

    def _fingerprint(self) -> str:
        return _fingerprint([ROOT / name for name in self.requirements], sys.version)


DEVELOPMENT = Environment(
    ".venv",
    ("requirements.txt", "lambdas/requirements-conductor.txt", "lambdas/requirements-api.txt"),
    "Python packages (a minute or two, once)",
)
EMULATOR = Environment(".local/emulator", ("local/requirements.txt",), "the AWS emulator")
ENGINE = Environment(
    ".local/engine",
    ("model_container/requirements-pack.txt", "model_container/requirements-cpu.txt"),
    "the music engine (about 200 MB, once)",
)
REFERENCE = Environment(
    ".local/reference",
    (
        "model_container/requirements-dev.txt",
        "model_container/requirements-train.txt",
        "model_container/requirements-pack.txt",
        "model_container/requirements-cpu.txt",
    ),
    "torch and transformers, which the engine is held against (about 1.5 GB, once)",
    torch=TORCH,
)
PACKING = Environment(
    ".local/packing",
    ("model_container/requirements-pack.txt", "model_container/requirements-cpu.txt"),
    "torch, with which two-track checkpoints are read (about 900 MB, once)",
    torch=TORCH,
)

DEPLOY = Environment(
    ".local/deploy", ("deploy/requirements.txt",), "what deploys to Modal (about 60 MB, once)"
)
REMOTE = Environment(
    ".local/remote",
    ("model_container/requirements-remote.txt",),
    "the SageMaker SDK, which sends trainings away (about 940 MB, once)",
)


def ensure_node() -> None:
    """Raises LocalError unless a new enough Node.js is on the PATH."""
    node = shutil.which("node")
    if node is None:
        raise LocalError(
            f"Node.js {OLDEST_NODE} or newer is needed and no `node` is on the PATH: https://nodejs.org"
        )
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    major = re.match(r"v(\d+)\.", version)
    if major is None or int(major[1]) < OLDEST_NODE:
        raise LocalError(
            f"Node.js {OLDEST_NODE} or newer is needed; {node} is {version or 'broken'}: https://nodejs.org"
        )


def ensure_cdk(say: Say = _print) -> None:
    """Install the CDK command line that package-lock.json pins. Raises LocalError."""
    ensure_node()
    stamp = ROOT / "node_modules" / ".made-from"
    fingerprint = _fingerprint([ROOT / "package-lock.json"], "")
    if not stamp.exists() or stamp.read_text() != fingerprint:
        say("Installing the CDK command line into node_modules …")
        npm = shutil.which("npm") or "npm"
        _run(
            [npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"],
            "npm could not install the CDK command line",
        )
        stamp.write_text(fingerprint)


def _install_python(python: Path, requirements: Path) -> None:
    _run([*_pip(python), "-r", str(requirements)], "pip could not install the packages")


def _install_torch(python: Path, version: str, say: Say) -> None:
    """PyPI's torch brings gigabytes of CUDA with it on Linux: take the CPU build where it can be had."""
    command = [*_pip(python), "--timeout=5", "--index-url", TORCH_CPU, f"torch=={version}"]
    try:
        _run(command, "the index of CPU builds")
    except LocalError:
        say(f"  {TORCH_CPU} has no torch for us; taking the package index's.")


def _pip(python: Path) -> list[str]:
    quiet = ("--disable-pip-version-check", "--no-input", "--progress-bar=off", "--retries=2")
    return [str(python), "-m", "pip", "install", *quiet]


def _run(command: list[str], complaint: str) -> None:
    """Run quietly but for the packages it names; raise LocalError with one line when it fails."""
    try:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    except OSError as error:
        raise LocalError(f"{complaint}: {error}") from error
    with process:
        lines = [_shown(line) for line in process.stdout or ()]
    if process.returncode != 0:
        raise LocalError(reason(complaint, "".join(lines)))


def _shown(line: str) -> str:
    """Tell what pip is at: each package in place on a terminal, only the long last phase elsewhere."""
    if line.startswith("Installing collected packages"):
        print(f"  unpacking {line.count(',') + 1} packages …", flush=True)
    elif line.startswith("Collecting ") and sys.stdout.isatty():
        print(f"\033[K  {line.split()[1]}", end="\r", flush=True)
    return line


def reason(complaint: str, output: str) -> str:
    if UNREACHABLE.search(output):
        return f"{complaint}: its registry cannot be reached. Check network, proxy and index settings."
    errors = (
        [line for line in output.splitlines() if "error" in line.lower()]
        or output.splitlines()
        or ["no output"]
    )
    return f"{complaint}: {errors[-1].strip()}"


def _fingerprint(files: list[Path], salt: str) -> str:
    digest = hashlib.sha256(salt.encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def main(names: list[str]) -> int:
    makers: dict[str, Callable[[], object]] = {
        "development": DEVELOPMENT.ensure,
        "emulator": EMULATOR.ensure,
        "engine": ENGINE.ensure,
        "reference": REFERENCE.ensure,
        "deploy": DEPLOY.ensure,
        "remote": REMOTE.ensure,
        "cdk": ensure_cdk,
    }
    try:
        for name in names:
            makers[name]()
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
