"""The contract of ports.Ledger."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from tests.contract.adapters import Adapters
from tests.fakes.examples import NOW

SOON, LATER = NOW + timedelta(minutes=1), NOW + timedelta(hours=1)


def test_what_was_put_is_there_until_its_end(adapters: Adapters) -> None:
    adapters.ledger.put("key", "value", SOON)

    assert adapters.ledger.get("key") == "value"
    adapters.time.now = SOON
    assert adapters.ledger.get("key") is None


def test_what_was_never_put_is_not_there(adapters: Adapters) -> None:
    assert adapters.ledger.get("key") is None


def test_the_last_put_counts(adapters: Adapters) -> None:
    adapters.ledger.put("key", "first", SOON)
    adapters.ledger.put("key", "second", LATER)

    adapters.time.now = SOON
    assert adapters.ledger.get("key") == "second"


def test_the_first_claim_wins_and_the_others_are_told_by_whom(adapters: Adapters) -> None:
    assert adapters.ledger.claim("key", "mine", SOON) is None
    assert adapters.ledger.claim("key", "yours", LATER) == "mine"

    assert adapters.ledger.get("key") == "mine"


def test_a_claim_that_has_ended_may_be_claimed_again(adapters: Adapters) -> None:
    adapters.ledger.claim("key", "mine", SOON)

    adapters.time.now = SOON
    assert adapters.ledger.claim("key", "yours", LATER) is None

    assert adapters.ledger.get("key") == "yours"


def test_a_claim_meets_what_was_put_and_a_put_overrules_a_claim(adapters: Adapters) -> None:
    adapters.ledger.put("key", "put", SOON)
    assert adapters.ledger.claim("key", "claimed", SOON) == "put"

    adapters.ledger.put("key", "put again", SOON)
    assert adapters.ledger.get("key") == "put again"


@pytest.mark.parametrize("text", ["ü 🎵 #/\\\"'", "x" * 2000, '{"answer": "[{\\"job_id\\": 1}]"}'])
def test_any_text_is_kept_as_it_is(adapters: Adapters, text: str) -> None:
    adapters.ledger.put("key", text, SOON)

    assert adapters.ledger.get("key") == text


def test_a_sum_grows_once_for_each_reason(adapters: Adapters) -> None:
    keys = ["spent#stage", "spent#me"]

    assert adapters.ledger.add(keys, 0.25, "job-1", LATER)
    assert adapters.ledger.add(keys[:1], 1.5, "job-2", LATER)
    assert not adapters.ledger.add(keys, 0.25, "job-1", LATER)

    assert [float(adapters.ledger.get(key) or 0) for key in keys] == [1.75, 0.25]


def test_a_sum_can_shrink_and_ends(adapters: Adapters) -> None:
    adapters.ledger.add(["sum"], 2.0, "estimate", SOON)
    adapters.ledger.add(["sum"], -0.5, "correction", SOON)

    assert float(adapters.ledger.get("sum") or 0) == 1.5
    adapters.time.now = SOON
    assert adapters.ledger.get("sum") is None


def test_sums_that_many_add_to_at_once_lose_nothing(adapters: Adapters) -> None:
    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda nth: adapters.ledger.add(["sum"], 1.0, f"once-{nth}", LATER), range(24)))

    assert all(added)
    assert float(adapters.ledger.get("sum") or 0) == 24
