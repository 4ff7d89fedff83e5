"""The whole of Cadenza on an emulated cloud, started once for all tests that ask for it."""

import signal
from collections.abc import Iterator

import pytest

from local.cloud import LocalCloud
from local.emulator import Emulator
from local.sagemaker.endpoints import Endpoints
from tests.local import fake_container, standin
from tests.local.caller import Caller, View
from tests.local.fake_container import FakeContainer

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what runs in the background so; a `make run` that a test started would not hear Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)


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


@pytest.fixture(scope="session")
def container() -> Iterator[FakeContainer]:
    with fake_container.running() as started:
        yield started


@pytest.fixture(scope="session")
def sagemaker(tmp_path_factory: pytest.TempPathFactory, container: FakeContainer) -> Iterator[Emulator]:
    """An emulator with endpoints of every kind before the fake container, and nothing of Cadenza."""
    addresses = {"dead": standin.DEAD, "*": container.address}
    with standin.emulator(tmp_path_factory.mktemp("sagemaker"), addresses) as started:
        stack = standin.deploy(started, standin.template())
        assert stack["StackStatus"] == "CREATE_COMPLETE", stack
        yield started


@pytest.fixture(scope="session")
def work(sagemaker: Emulator) -> standin.Work:
    return standin.work(sagemaker)


@pytest.fixture(scope="session")
def invoke(sagemaker: Emulator) -> standin.Invoke:
    return standin.Invoke(sagemaker)


@pytest.fixture
def made() -> Endpoints:
    """A model named `small`, an asynchronous endpoint `async` and a serverless endpoint `serverless`."""
    found = Endpoints()
    image = {"Image": "any"}
    found.make_model(
        "Model", {"ModelName": "small", "ExecutionRoleArn": standin.ROLE, "PrimaryContainer": image}
    )
    for name, production, more in (
        ("async", standin.INSTANCE, {"AsyncInferenceConfig": standin.asynchronous()}),
        ("serverless", standin.serverless(1), {}),
    ):
        found.make_config("Config", {"EndpointConfigName": name, **standin.config(production, **more)})
        found.make_endpoint("Endpoint", {"EndpointName": name, "EndpointConfigName": name})
    return found


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Workers that run tests in parallel keep those of one cloud together, so that each is started once;
    those that start what they need by themselves are kept together by file.

    First of all such hooks: the one that reads the groups comes early, too.
    """
    for item in items:
        chosen = item.get_closest_marker("xdist_group")
        if chosen is None and item.path.is_relative_to(__file__.rpartition("/")[0]):
            item.add_marker(pytest.mark.xdist_group(_group(item)))


def _group(item: pytest.Item) -> str:
    names = getattr(item, "fixturenames", ())
    return next((name for name in ("enforcing_cloud", "cloud") if name in names), item.path.stem)
