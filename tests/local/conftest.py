"""The whole of Cadenza on an emulated cloud, started once for all tests that ask for it."""

from collections.abc import Iterator

import pytest

from local.cloud import LocalCloud
from tests.local.caller import Caller, View


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with LocalCloud(tmp_path_factory.mktemp("cloud")) as running:
        yield running


@pytest.fixture(scope="session")
def enforcing_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """The same, with every IAM policy enforced."""
    with LocalCloud(tmp_path_factory.mktemp("enforcing-cloud"), auth=True) as running:
        yield running


@pytest.fixture(scope="session")
def api(cloud: LocalCloud) -> Iterator[Caller]:
    with Caller(cloud.api_url) as caller:
        yield caller


@pytest.fixture(scope="session")
def song(api: Caller) -> View:
    """A completed job of one second, for tests that only look at it."""
    return api.ended(api.make("a song to look at"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Workers that run tests in parallel keep those of one cloud together, so that each is started once.

    First of all such hooks: the one that reads the groups comes early, too.
    """
    for item in items:
        if item.path.is_relative_to(__file__.rpartition("/")[0]):
            enforcing = "enforcing_cloud" in getattr(item, "fixturenames", ())
            item.add_marker(pytest.mark.xdist_group("enforcing-cloud" if enforcing else "cloud"))
