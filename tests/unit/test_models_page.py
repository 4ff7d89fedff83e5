"""What docs/models.md says of models, values and money is what the code says."""

import re
from pathlib import Path
from typing import Any

import pytest

from infra.hosting import FITS_SERVERLESS, Hosting, names
from lambdas.backends.progress import look
from lambdas.backends.sagemaker import QUEUED_SECONDS, SageMakerBackend
from lambdas.core.models import CATALOGUE, MOCK, offered
from lambdas.core.paces import pace
from lambdas.core.prices import HOUR, PRICES, rate
from lambdas.settings import SageMakerSettings
from model_container.weights import LICENCES, REVISIONS
from tests.fakes.examples import NOW

PAGE = (Path(__file__).parents[2] / "docs/models.md").read_text()
COST = re.compile(
    r"^\| `([\w.-]+)`[^|]* \| `(\w+)` \| `([\w.-]+)` \| 60 s × ([\d.]+) × \$([\d.]+) \| ([\d.]+) \|$",
    re.MULTILINE,
)


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_every_model_has_its_row_and_licence() -> None:
    rows = re.findall(r"^\| (`.*?`) \|.*\| ([^|]+) \|$", section("What there is"), re.MULTILINE)
    said = {model: licence for names, licence in rows for model in re.findall(r"`([\w.-]+)`", names)}

    assert set(said) == set(CATALOGUE)
    assert {model for model, licence in said.items() if licence == "CC-BY-NC-4.0"} == {
        model.id for model in CATALOGUE.values() if model.licence == "CC-BY-NC-4.0"
    }
    assert said["ace-step-1.5"] == CATALOGUE["ace-step-1.5"].licence
    assert said["mock"] == MOCK.licence


def test_a_model_of_ones_own_is_served_without_a_word_and_promised_for_nothing() -> None:
    cascade = CATALOGUE["cascade"]

    assert cascade.allowed_by(())
    assert not cascade.commercial_use
    assert "`operator`" in section("What there is")
    assert "published without a licence" in section("Weights")
    assert "without a licence" in LICENCES["encodec_24khz"]


def test_every_value_about_the_endpoint_has_its_row_and_its_default() -> None:
    rows = dict(re.findall(r"^\| `(endpoint\w*)` \| (.*?) \|", section("On SageMaker"), re.MULTILINE))
    defaults = Hosting(mode="async")

    assert set(rows) == set(names())
    for name in ("model", "instance", "instances", "memory_mb", "concurrency"):
        assert rows[f"endpoint_{name}"].strip("`") == str(getattr(defaults, name))


@pytest.mark.parametrize(("model", "host", "hardware", "work", "price", "usd"), COST.findall(PAGE))
def test_each_minute_costs_what_prices_and_paces_make_of_it(
    model: str, host: str, hardware: str, work: str, price: str, usd: str
) -> None:
    priced = offered({model: (host,)}, {host: hardware})[model]

    assert float(work) == pytest.approx(pace(model, host, hardware), rel=3e-3)
    assert float(price) == pytest.approx(rate(host, {host: hardware}), rel=2e-3)
    assert float(usd) == pytest.approx(60 * priced.usd_per_second, abs=5e-5)


def test_a_long_piece_costs_the_seconds_that_the_page_says() -> None:
    (total, work) = map(float, re.findall(r"(\d+) s at Replicate are (\d+) s of work", PAGE)[0])
    model = offered({"musicgen-large": ("replicate",)}, {"replicate": "t4"})["musicgen-large"]

    assert model.estimate(total)[0] == pytest.approx(work * model.usd_per_second, abs=1e-6)


def test_every_model_that_fits_serverless_has_a_price_there() -> None:
    assert {row[0] for row in COST.findall(PAGE) if row[2] == "serverless-6gb"} == set(FITS_SERVERLESS)


def test_an_instances_price_is_the_tables() -> None:
    hourly = {float(found) for found in re.findall(r"\$(1\.\d{3})", section("What a minute of music costs"))}

    assert hourly == {round(PRICES["sagemaker"]["ml.g5.xlarge"] * HOUR, 3)}


def test_the_longest_serverless_song_is_the_hosts_own_figure() -> None:
    settings = SageMakerSettings(
        endpoint="e", mode="serverless", model="musicgen-small", hardware="serverless-6gb"
    )
    unused: Any = None
    host = SageMakerBackend(unused, settings, look, unused, "", unused, lambda: NOW)

    assert f"more than {host.longest:g} s of" in " ".join(section("On SageMaker").split())
    assert f"| {host.longest:g} s (`musicgen-small`) |" in section("Limits")


def test_the_wait_in_sagemakers_queue_is_the_one_that_is_asked_for() -> None:
    assert QUEUED_SECONDS == 30 * 60
    assert "| 30 min |" in section("Limits")


def test_the_models_that_are_fetched_by_name_are_in_the_catalogue() -> None:
    assert {name for name in REVISIONS if name.startswith("musicgen")} <= set(CATALOGUE)
