"""What music is expected to cost, before it is made: against what hosts say that it did cost."""

from itertools import product

import pytest

from infra.hosting import FITS_SERVERLESS, PLAYED
from lambdas.core.models import CATALOGUE, MUSICGEN, offered
from lambdas.core.paces import longest, pace
from lambdas.core.ports import Finished
from lambdas.core.prices import PRICES
from lambdas.core.segments import overlap, planned
from lambdas.settings import HostingMode
from tests.fakes.sagemaker import Site as SageMaker
from tests.fakes.stories import LONG
from tests.fakes.world import World
from tests.unit.acestep_site import WORK
from tests.unit.acestep_site import a_site as acestep

FACTOR = 1.5
"""How far an estimate may be from what its host says, either way."""

LARGE = PRICES["replicate"]["a100-80gb"] * pace("musicgen-large", "replicate", "a100-80gb")


def near(expected: float, actual: float | None) -> bool:
    return actual is not None and actual / FACTOR <= expected <= actual * FACTOR


@pytest.mark.parametrize("model", [model.id for model in MUSICGEN])
def test_replicate_is_expected_to_make_everything_by_a_large_checkpoint(model: str) -> None:
    priced = offered({model: ("replicate",)}, {"replicate": "a100-80gb"})[model]

    assert priced.usd_per_second == pytest.approx(LARGE)


def test_half_a_minute_on_replicates_smallest_machine_costs_about_what_a_models_page_there_says() -> None:
    model = offered({"musicgen-small": ("replicate",)}, {"replicate": "t4"})["musicgen-small"]

    assert model.estimate(30.0)[0] == pytest.approx(0.053, rel=0.1)


def test_an_acestep_song_costs_about_what_was_expected() -> None:
    model = offered({"ace-step-1.5": ("acestep",)}, {"acestep": "l4"})["ace-step-1.5"]
    with acestep() as site:
        object.__setattr__(site.backend, "usd_per_second", PRICES["modal"]["l4"])
        ticket = site.backend.start(WORK)
        site.time.pass_by(60)
        state = site.backend.check(WORK, ticket)

    assert isinstance(state, Finished)
    assert state.cost_usd is not None
    assert near(model.estimate(30.0)[0], state.cost_usd)  # it says 8 s of work, of a song of usual length


def test_a_song_on_a_serverless_endpoint_costs_about_what_was_expected() -> None:
    site = SageMaker("serverless")
    with site.endpoint as endpoint:
        backend = endpoint.backend(site.time)
        hardware = backend.settings.hardware
        work = site.work(duration=8.0)
        state = backend.check(work, backend.start(work))

    model = offered({"musicgen-small": ("sagemaker",)}, {"sagemaker": hardware})["musicgen-small"]
    assert isinstance(state, Finished)
    assert state.cost_usd is not None
    assert near(model.estimate(8.0)[0], state.cost_usd)


@pytest.mark.parametrize(("seconds", "at_once"), [*product([30.0, 30.5, 45.0, 70.0, 300.0], [30.0, 45.0])])
def test_what_a_host_hears_again_is_expected_to_be_paid_again(seconds: float, at_once: float) -> None:
    world = World("first")
    host, heard = world.hosts["first"], CATALOGUE["musicgen-small"].inputs["continue"].longest
    host.longest = at_once

    world.submit(LONG.model_copy(update={"duration": seconds}))
    world.run()

    made = sum(work.piece.duration for work in host.works)
    assert planned(seconds, at_once, overlap(at_once, heard)) == pytest.approx(made)
    assert (made > seconds) == (seconds > at_once)


def test_a_long_piece_is_expected_to_cost_its_segments() -> None:
    model = offered({"musicgen-large": ("replicate",)}, {"replicate": "a100-80gb"})["musicgen-large"]

    assert model.estimate(30.0)[0] == pytest.approx(30 * LARGE, abs=1e-6)
    assert model.estimate(300.0)[0] == pytest.approx(440 * LARGE, abs=1e-6)  # 14 times more of 10 s each


@pytest.mark.parametrize(
    ("chain", "first", "most"),
    [
        (("container", "replicate"), 0.0, LARGE),
        (("replicate", "container"), LARGE, LARGE),
        (("mock",), 0.0, 0.0),
    ],
)
def test_a_model_costs_what_its_first_host_does_and_at_most_what_the_dearest_does(
    chain: tuple[str, ...], first: float, most: float
) -> None:
    model = offered({"musicgen-large": chain}, {"replicate": "a100-80gb"})["musicgen-large"]

    assert model.usd_per_second == pytest.approx(first)
    assert model.estimate(20.0) == pytest.approx((20 * first, 20 * most), abs=1e-6)


def test_what_has_a_price_has_a_pace() -> None:
    for hardware in PRICES["replicate"]:
        assert pace("musicgen-small", "replicate", hardware) > 0
    for hardware in PRICES["modal"]:
        assert pace("ace-step-1.5", "acestep", hardware) > 0
    for hardware in PRICES["sagemaker"]:
        for model in FITS_SERVERLESS if hardware.startswith("serverless") else PLAYED:
            assert pace(model, "sagemaker", hardware) > 0


def test_nothing_with_less_bandwidth_is_expected_to_be_faster() -> None:
    for host, model, slow, fast in [
        ("replicate", "musicgen-large", "t4", "l40s"),
        ("replicate", "musicgen-large", "l40s", "h100"),
        ("acestep", "ace-step-1.5", "l4", "a100-80gb"),
        ("sagemaker", "musicgen-large", "ml.g6.xlarge", "ml.g5.xlarge"),
        ("sagemaker", "musicgen-small", "serverless-2gb", "serverless-6gb"),
    ]:
        assert pace(model, host, slow) > pace(model, host, fast)


@pytest.mark.parametrize("mode", ["gpu", "serverless"])
def test_what_a_host_is_expected_to_make_at_once_is_what_it_makes_at_once(mode: HostingMode) -> None:
    site = SageMaker(mode)
    with site.endpoint as endpoint:
        backend = endpoint.backend(site.time)
        expected = longest("musicgen-small", "sagemaker", backend.settings.hardware)

    assert backend.longest == min(300.0, expected)
