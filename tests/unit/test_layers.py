"""Holds the table of who may import whom in docs/architecture.md, by walking every import statement."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

BOTO = {
    "boto3",
    "botocore",
    "mypy_boto3_dynamodb",
    "mypy_boto3_s3",
    "mypy_boto3_sagemaker_runtime",
    "mypy_boto3_secretsmanager",
    "mypy_boto3_sqs",
}

# Package, or single module, → what it may import beside the standard library. The first match counts.
MAY_IMPORT = {
    "lambdas.core": {"pydantic", "lambdas.core"},
    "lambdas.settings": {"pydantic"},
    "lambdas.aws": {*BOTO, "lambdas.core", "lambdas.settings", "lambdas.aws"},
    "lambdas.backends.sagemaker": {*BOTO, "pydantic", "lambdas.core", "lambdas.settings", "lambdas.backends"},
    "lambdas.backends.sagemaker_errors": {"botocore", "pydantic", "lambdas.core", "lambdas.backends"},
    "lambdas.backends": {
        "numpy",
        "pydantic",
        "urllib3",
        "lambdas.core",
        "lambdas.settings",
        "lambdas.backends",
    },
    "lambdas.audio": {"av", "c2pa", "numpy", "lambdas.core", "lambdas.settings", "lambdas.audio"},
    "lambdas.http": {"pydantic", "aws_lambda_powertools", "lambdas.core", "lambdas.settings", "lambdas.http"},
    "lambdas.outbound": {"urllib3", "lambdas.core"},
    "lambdas.hosting": {"urllib3", "lambdas"},
    "lambdas.wiring": {"botocore", "lambdas"},
    "lambdas": {"aws_lambda_powertools", "pydantic", "botocore", "lambdas"},
    "app": {"aws_cdk", "infra"},
    "infra": {
        "aws_cdk",
        "constructs",
        "cdk_nag",
        "pydantic",
        "lambdas.core.addresses",
        "lambdas.core.models",
        "lambdas.core.prices",
        "lambdas.settings",
        "infra",
    },
    "local": {"boto3", "botocore", "cryptography", "ministack", "hypercorn", "local"},
}
ENTRY_POINTS = ("api", "conductor", "courier", "janitor")
UNSEEN_BY_ENTRY_POINTS = ("lambdas.aws", "lambdas.audio", "lambdas.backends")
EMULATORS = re.compile(r"ministack|localstack|\bmoto\b|emulat|laptop", re.IGNORECASE)


def sources(*folders: str) -> list[Path]:
    files = (file for folder in folders for file in sorted((ROOT / folder).rglob("*.py")))
    return [file for file in files if "__pycache__" not in file.parts]


def module(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(file: Path, *, at_top: bool = False) -> Iterator[str]:
    """Every imported module by its full name; those that run when the module loads, if `at_top`."""
    tree = ast.parse(file.read_text())
    for node in _loaded(tree.body) if at_top else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _loaded(body: list[ast.stmt]) -> Iterator[ast.AST]:
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from _loaded([child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)])


def within(name: str, packages: set[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("file", [ROOT / "app.py", *sources("infra", "lambdas", "local")], ids=module)
def test_a_module_imports_only_what_its_layer_may(file: Path) -> None:
    layer = next(allowed for package, allowed in MAY_IMPORT.items() if within(module(file), {package}))

    foreign = {name for name in imports(file) if name.split(".")[0] not in sys.stdlib_module_names}

    assert {name for name in foreign if not within(name, layer)} == set()


@pytest.mark.parametrize("file", [ROOT / "app.py", *sources("infra", "lambdas", "client")], ids=module)
def test_only_tests_and_benchmarks_import_the_laptop(file: Path) -> None:
    assert [name for name in imports(file) if within(name, {"local"})] == []


@pytest.mark.parametrize("file", [ROOT / "app.py", *sources("infra", "lambdas", "client")], ids=module)
def test_nothing_that_ships_knows_of_an_emulator(file: Path) -> None:
    assert EMULATORS.findall(file.read_text()) == []


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_an_entry_point_reaches_adapters_only_through_the_wiring(name: str) -> None:
    assert [
        each for each in imports(ROOT / f"lambdas/{name}.py") if within(each, set(UNSEEN_BY_ENTRY_POINTS))
    ] == []


def test_the_wiring_loads_nothing_before_a_function_asks_for_it() -> None:
    loaded = {name for name in imports(ROOT / "lambdas/wiring.py", at_top=True) if name.startswith("lambdas")}

    assert {name for name in loaded if not within(name, {"lambdas.settings"})} == set()


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_a_function_that_makes_no_audio_loads_no_audio_library(name: str) -> None:
    heavy = {"av", "c2pa", "numpy"}

    loaded = _loaded_by(f"lambdas.{name}")

    assert {each for each in loaded if within(each, heavy)} == set()


def _loaded_by(name: str) -> set[str]:
    """What importing this module of ours imports at load, through every module of ours that it reaches."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        file = _file(current)
        if current in seen:
            continue
        seen.add(current)
        if file is not None:
            waiting.extend(imports(file, at_top=True))
    return seen


def _file(name: str) -> Path | None:
    """The source of a module of ours, or of the module that holds this name."""
    if not name.startswith("lambdas"):
        return None
    path = ROOT / name.replace(".", "/")
    found = [each for each in (path.with_suffix(".py"), path / "__init__.py") if each.exists()]
    return found[0] if found else _file(name.rpartition(".")[0])
