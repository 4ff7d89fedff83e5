"""One run of each contract per adapter; the emulator is started once, for all that need it."""

from collections.abc import Iterator
from typing import Any

import pytest

from local.emulator import Emulator, free_pair
from local.environments import EMULATOR
from tests.contract.adapters import Adapters, client, in_memory, on_aws


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
