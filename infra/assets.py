"""Function code as a folder: the sources beside their packages, built by pip alone and kept by content.

Two layers under `build/`: `packages/<key>` (slow: a pip install, keyed by requirements, target and trim
rules) and `assets/<name>-<hash>` (fast: hard links to the packages, a copy of the sources).
Knows nothing of AWS CDK.
"""

import fnmatch
import hashlib
import os
import platform
import shutil
import subprocess  # nosec B404
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.stage import Target

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build"

PIP = (sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check")

# glibc 2.34 is Amazon Linux 2023's: it takes wheels built for any older one. pip wants each tag spelled out.
WHEELS = {
    "lambda-arm64": (
        *("--platform", "manylinux_2_28_aarch64"),
        *("--platform", "manylinux_2_17_aarch64"),
        *("--platform", "manylinux2014_aarch64"),
        *("--python-version", "3.13", "--implementation", "cp"),
    ),
    "host": (),
}

# Nothing here is imported by a running function. C sources and headers are for builders, stubs for type
# checkers, Powertools' bundled web page is replaced by our own docs page.
TRIM = (
    *("*/__pycache__", "*/tests", "bin", "numpy/_core/include", "numpy/f2py"),
    *("*.pyi", "*.pyx", "*.pxd", "*.h", "*.c", "*.a", "*.rlib", "*.d"),
    *("*.dist-info/RECORD", "*.dist-info/sboms"),
    *("aws_lambda_powertools/*/swagger_ui/*.js", "aws_lambda_powertools/*/swagger_ui/*.css"),
)

UNSHIPPED = ("*__pycache__*", "*.pyc", "requirements-*.txt")


class BundleError(Exception):
    """The packages could not be installed. The message is one line for the user."""


@dataclass(frozen=True)
class Bundle:
    """What one asset is made of. `without` names paths below the package that the asset leaves out."""

    name: str
    package: Path
    requirements: Path
    without: tuple[str, ...] = ()

    def sources(self) -> Iterator[tuple[str, Path]]:
        """(path in the asset, file) in a fixed order."""
        skip = (*UNSHIPPED, *(pattern for path in self.without for pattern in (path, f"{path}/*")))
        for file in sorted(self.package.rglob("*")):
            inner = file.relative_to(self.package).as_posix()
            if file.is_file() and not _matches(inner, skip):
                yield f"{self.package.name}/{inner}", file


API = Bundle("api", ROOT / "lambdas", ROOT / "lambdas/requirements-api.txt", ("audio", "backends/composer"))
CONDUCTOR = Bundle("conductor", ROOT / "lambdas", ROOT / "lambdas/requirements-conductor.txt")


def architecture(target: Target) -> str:
    """`arm64` or `x86_64`, in Lambda's words."""
    host = "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x86_64"
    return "arm64" if target == "lambda-arm64" else host


def build(bundle: Bundle, target: Target) -> tuple[Path, str]:
    """The asset's folder, built unless an equal one is there, and its content's hash. Raises BundleError."""
    packages = _packages(bundle.requirements, target)
    digest = hashlib.sha256(packages.name.encode())
    for inner, file in bundle.sources():
        digest.update(inner.encode() + b"\0" + file.read_bytes() + b"\0")
    asset = BUILD / "assets" / f"{bundle.name}-{digest.hexdigest()[:16]}"

    def fill(folder: Path) -> None:
        shutil.copytree(packages, folder, copy_function=os.link, dirs_exist_ok=True)
        for inner, file in bundle.sources():
            (folder / inner).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / inner)

    return _once(asset, fill), digest.hexdigest()


def _packages(requirements: Path, target: Target) -> Path:
    pins = "\n".join(_pins(requirements))
    host = f"{sysconfig.get_platform()}-{platform.python_version()}" if target == "host" else ""
    key = hashlib.sha256(repr((pins, target, WHEELS[target], host, TRIM)).encode()).hexdigest()[:16]

    def fill(folder: Path) -> None:
        _install(requirements, WHEELS[target], folder)
        _trim(folder)

    return _once(BUILD / "packages" / f"{requirements.stem}-{target}-{key}", fill)


def _pins(requirements: Path) -> Iterator[str]:
    for line in requirements.read_text().splitlines():
        if line.startswith("-r "):
            yield from _pins(requirements.parent / line[3:].strip())
        elif line.strip() and not line.startswith("#"):
            yield line.strip()


def _install(requirements: Path, wheels: tuple[str, ...], folder: Path) -> None:
    command = [
        *PIP,
        "--only-binary=:all:",
        "--no-compile",
        *wheels,
        "--target",
        str(folder),
        "-r",
        str(requirements),
    ]
    # No shell, and no word that is not ours.
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # nosec B603
    if result.returncode:
        reasons = [line for line in result.stderr.splitlines() if line.startswith("ERROR:")] or ["pip failed"]
        raise BundleError(
            f"could not install {requirements.name} (is the package registry reachable?): {reasons[-1]}"
        )


def _trim(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if _matches(path.relative_to(folder).as_posix(), TRIM):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def _once(folder: Path, fill: Callable[[Path], None]) -> Path:
    """`folder`, filled aside and moved into place whole, so that no reader ever meets half of it."""
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD, prefix=".building-") as scratch:
        fill(Path(scratch) / folder.name)
        try:
            (Path(scratch) / folder.name).rename(folder)
        except OSError:  # another build of the same content was first
            if not folder.exists():
                raise
    return folder
