"""One run of each contract per adapter; the emulator is started once, for all that need it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from local.emulator import Emulator, free_pair
from local.environments import EMULATOR
from model_container import bucket
from model_container.bucket import Folder
from tests.contract.adapters import Adapters, client, in_memory, on_aws
from tests.contract.publishing import BIG, PART, Counted


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    running = Emulator(EMULATOR.ensure(lambda _: None), tmp_path_factory.mktemp("emulator"), free_pair())
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def aws(emulator: Emulator) -> list[Any]:
    return [client(emulator, service) for service in ("dynamodb", "sqs", "s3")]


@pytest.fixture(
    params=[pytest.param("memory"), pytest.param("aws", marks=pytest.mark.xdist_group("contract-on-aws"))]
)
def adapters(request: pytest.FixtureRequest) -> Adapters:
    """Fresh ones for each test."""
    return in_memory() if request.param == "memory" else on_aws(*request.getfixturevalue("aws"))


@pytest.fixture
def s3(emulator: Emulator) -> Iterator[Counted]:
    made = client(emulator, "s3")
    yield Counted(made)
    made.close()


@pytest.fixture
def target(s3: Counted, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setattr(bucket, "PART", PART)
    name = f"weights-{uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name)
    s3.calls.clear()
    return Folder(s3, name, "musicgen-small/")  # type: ignore[arg-type]


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    folder = tmp_path / "packed"
    (folder / "sub").mkdir(parents=True)
    (folder / "decoder.bin").write_bytes(BIG)
    (folder / "sub/text.onnx").write_bytes(b"text")
    (folder / "pack.json").write_text("{}")
    return folder
