"""The handlers over a world in memory, on its clock, without waiting for real."""

import time
from datetime import timedelta

import pytest

from lambdas import wiring
from lambdas.core.models import offered
from lambdas.core.views import Reader
from lambdas.settings import ApiSettings
from tests.fakes.world import World

CHAINS = {"mock": ("first",)}
SETTINGS = ApiSettings(
    stage="test",
    jobs_table="jobs-table",
    ledger_table="ledger-table",
    audio_bucket="audio-bucket",
    jobs_queue_url="https://queue",
    chains=CHAINS,
)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    parts = wiring.Api(
        settings=SETTINGS,
        models=offered(CHAINS),
        submitter=made.submitter,
        uploads=made.uploads,
        collection=made.collection,
        reader=Reader(made.objects, "audio-bucket", timedelta(hours=1)),
        breakers=made.breakers,
    )
    monkeypatch.setattr(wiring, "api", lambda: parts)
    monkeypatch.setattr(wiring, "now", made.time)
    monkeypatch.setattr(time, "sleep", made.time.pass_by)
    made.wire.watch = lambda: None  # these tests put jobs there that nobody made
    return made
