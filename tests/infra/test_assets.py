import os
import re
import subprocess
import sys
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra import assets
from infra.assets import API, CONDUCTOR, Bundle, BundleError, build

MB = 1_000_000
LAMBDA_LIMIT = 250 * MB
"""Unzipped; AWS means mebibytes, so this leaves 12 MB to spare."""
LEAN_LIMIT = 15 * MB

AARCH64 = 183
"""e_machine in an ELF header (System V ABI)."""

# What Lambda's Python carries beside its standard library.
RUNTIME = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six")
LAMBDA_PYTHON = {
    "python_version": "3.13",
    "python_full_version": "3.13.0",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "platform_machine": "aarch64",
    "platform_system": "Linux",
    "sys_platform": "linux",
    "os_name": "posix",
    "extra": "",
}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_the_api_function_carries_no_audio_library() -> None:
    folder, _ = build(API, "lambda-arm64")

    assert {"aws_lambda_powertools", "pydantic", "lambdas"} <= names(folder)
    assert names(folder).isdisjoint({"av", "av.libs", "numpy", "numpy.libs", "c2pa", "cryptography", "boto3"})
    assert not (folder / "lambdas/audio").exists()
    assert not (folder / "lambdas/backends/composer").exists()
    assert size(folder) < LEAN_LIMIT


def test_the_conductor_carries_everything_and_fits_into_lambda() -> None:
    folder, _ = build(CONDUCTOR, "lambda-arm64")

    assert {"av", "numpy", "c2pa", "lambdas"} <= names(folder)
    assert (folder / "lambdas/audio").is_dir()
    assert "boto3" not in names(folder), "it comes with Lambda's runtime"
    assert size(folder) < LAMBDA_LIMIT


@pytest.mark.parametrize("bundle", [API, CONDUCTOR], ids=lambda bundle: bundle.name)
def test_every_library_is_for_graviton(bundle: Bundle) -> None:
    folder, _ = build(bundle, "lambda-arm64")

    libraries = [path for path in folder.rglob("*") if re.search(r"\.so(\.|$)", path.name)]
    assert libraries
    for library in libraries:
        header = library.read_bytes()[:20]
        assert header[:4] == b"\x7fELF", library
        assert int.from_bytes(header[18:20], "little") == AARCH64, library


@pytest.mark.parametrize("bundle", [API, CONDUCTOR], ids=lambda bundle: bundle.name)
def test_nothing_that_lambdas_python_would_ask_for_is_missing(bundle: Bundle) -> None:
    folder, _ = build(bundle, "lambda-arm64")
    installed = list(distributions(path=[str(folder)]))

    asked = {
        canonicalize_name(requirement.name)
        for each in installed
        for requirement in map(Requirement, each.requires or ())
        if requirement.marker is None or requirement.marker.evaluate(LAMBDA_PYTHON)
    }
    assert asked
    assert asked <= {canonicalize_name(each.name) for each in installed}


@pytest.mark.parametrize("bundle", [API, CONDUCTOR], ids=lambda bundle: bundle.name)
def test_an_asset_has_no_files_for_builders(bundle: Bundle) -> None:
    folder, _ = build(bundle, "lambda-arm64")

    left = [path for path in folder.rglob("*") if path.name in ("__pycache__", "tests", "RECORD")]
    assert left == []
    assert list((folder / "lambdas").rglob("requirements*")) == []


@pytest.mark.parametrize(
    ("bundle", "handlers"),
    [(API, ("api", "courier", "janitor")), (CONDUCTOR, ("conductor",))],
    ids=lambda value: value.name if isinstance(value, Bundle) else "",
)
def test_a_handler_finds_all_it_imports_in_its_asset_and_the_runtime(
    bundle: Bundle, handlers: tuple[str, ...], tmp_path: Path
) -> None:
    folder, _ = build(bundle, "host")
    for name in RUNTIME:
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        origin = Path(spec.origin)
        found = origin.parent if origin.name == "__init__.py" else origin
        (tmp_path / found.name).symlink_to(found)
    imports = ", ".join(f"lambdas.{name}" for name in handlers)
    libraries = ", numpy, av, c2pa, lambdas.audio, lambdas.backends.composer" if bundle is CONDUCTOR else ""
    code = f"import sys; sys.path[:0] = sys.argv[1:]; import lambdas.wiring, {imports}{libraries}"

    command = [sys.executable, "-S", "-E", "-B", "-c", code, str(folder), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)

    assert done.returncode == 0, done.stderr


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """A bundle of two files, whose installer notes each of its runs and leaves one package."""
    monkeypatch.setattr(assets, "BUILD", tmp_path / "build")
    installer = tmp_path / "installer.py"
    installer.write_text(
        "import pathlib, sys\n"
        "runs = pathlib.Path(__file__).with_name('runs')\n"
        "runs.write_text(runs.read_text() + 'x' if runs.exists() else 'x')\n"
        "package = pathlib.Path(sys.argv[sys.argv.index('--target') + 1]) / 'package'\n"
        "(package / 'tests').mkdir(parents=True)\n"
        "(package / 'tests' / 'test_it.py').touch()\n"
        "(package / '__init__.py').touch()\n"
    )
    monkeypatch.setattr(assets, "PIP", (sys.executable, str(installer)))
    package = tmp_path / "functions"
    (package / "__pycache__").mkdir(parents=True)
    (package / "__pycache__/a.pyc").write_bytes(b"stale")
    (package / "a.py").write_text("A = 1\n")
    (package / "requirements-a.txt").write_text("# why\npackage==1\n")
    return Bundle("small", package, package / "requirements-a.txt")


def installs(bundle: Bundle) -> int:
    return len((bundle.package.parent / "runs").read_text())


def test_an_asset_is_sources_and_packages_without_what_nobody_runs(small: Bundle) -> None:
    folder, _ = build(small, "host")

    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {"functions/a.py", "package/__init__.py"}


def test_the_same_content_is_built_once_and_has_one_hash(small: Bundle) -> None:
    first = build(small, "host")
    os.utime(small.package / "a.py", (0, 0))
    (small.package / "__pycache__/b.pyc").write_bytes(b"stale too")

    assert build(small, "host") == first
    assert installs(small) == 1


def test_a_change_of_code_makes_a_new_asset_without_a_new_install(small: Bundle) -> None:
    before, _ = build(small, "host")
    (small.package / "a.py").write_text("A = 2\n")

    after, _ = build(small, "host")

    assert after != before
    assert (after / "functions/a.py").read_text() == "A = 2\n"
    assert (before / "functions/a.py").read_text() == "A = 1\n"
    assert installs(small) == 1


def test_a_change_of_requirements_installs_anew(small: Bundle) -> None:
    build(small, "host")
    small.requirements.write_text("package==2\n")

    build(small, "host")

    assert installs(small) == 2


def test_a_note_in_the_requirements_changes_nothing(small: Bundle) -> None:
    before = build(small, "host")
    small.requirements.write_text("# another why\npackage==1\n")

    assert build(small, "host") == before


def test_each_target_has_packages_of_its_own(small: Bundle) -> None:
    assert build(small, "host") != build(small, "lambda-arm64")
    assert installs(small) == 2


def test_an_install_that_fails_gives_one_line_and_leaves_nothing(
    small: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = (
        "import sys; sys.exit('WARNING: retrying\\nERROR: No matching distribution found for package==1')"
    )
    monkeypatch.setattr(assets, "PIP", (sys.executable, "-c", failing))

    with pytest.raises(BundleError) as caught:
        build(small, "host")

    assert "requirements-a.txt" in str(caught.value)
    assert str(caught.value).endswith("No matching distribution found for package==1")
    assert "\n" not in str(caught.value)
    assert [path for path in assets.BUILD.rglob("*") if path.is_file()] == []
