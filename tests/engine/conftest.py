"""The engine's tests need its packages; without them pytest names this file as skipped, with the reason."""

import pytest

pytest.importorskip("onnxruntime", reason="model_container/requirements-dev.txt is not installed")

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from model_container.engine.live import Engine
from model_container.engine.model import Model
from model_container.engine.native import kernels
from model_container.pack import pack
from tests.engine import tiny
from tests.engine.serving import Drip, Service, Store, serving

Folders = Callable[..., Path]

NATIVE = pytest.param("native", marks=pytest.mark.skipif(not kernels(), reason="no C++ compiler here"))
either_decoder = pytest.mark.parametrize("decoder", ["onnx", NATIVE])


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """checkpoints(kind) → the folder of a tiny checkpoint, written once."""

    @cache
    def folder(kind: str) -> Path:
        return tiny.write(tmp_path_factory.mktemp("checkpoints") / kind, kind)

    return folder


@pytest.fixture(scope="session")
def packs(checkpoints: Folders, tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """packs(kind, weights) → the folder of the same, packed once."""

    @cache
    def folder(kind: str, weights: str = "fp32") -> Path:
        target = tmp_path_factory.mktemp("packs") / f"{kind}-{weights}"
        pack(checkpoints(kind), target, weights)
        return target

    return folder


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store()
    yield made
    made.close()


@pytest.fixture
def drip() -> Iterator[Drip]:
    made = Drip()
    yield made
    made.close()


@pytest.fixture
def service(packs: Folders) -> Iterator[Service]:
    with serving(Engine(Model.load(packs("text"), slots=2), queue_size=1)) as running:
        yield running
