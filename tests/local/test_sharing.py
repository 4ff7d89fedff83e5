"""The tests' own economy: a cloud takes seconds to start, so those that share one must share a worker."""

import pytest


def test_tests_of_one_cloud_run_on_one_worker(request: pytest.FixtureRequest, worker_id: str) -> None:
    if worker_id == "master":
        pytest.skip("there is only one worker")

    assert request.node.nodeid.endswith("@test_sharing"), "pytest-xdist does not see the groups"
