"""Pieces of any length by Replicate's MusicGen, through the whole flow: real joining, real continuation."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import urllib3

from lambdas.audio.decode import decode
from lambdas.audio.excerpt import excerpt
from lambdas.audio.joining import Joiner
from lambdas.core.asking import Asking
from lambdas.core.commissioning import Commissioning
from lambdas.core.finishing import Finishing
from lambdas.core.jobs import Status
from lambdas.core.models import CATALOGUE, offered
from lambdas.core.ports import Cut, Prepared
from lambdas.core.preparing import Preparation
from lambdas.core.routing import Routing
from lambdas.core.segments import seed
from tests.fakes.loopback import Answer
from tests.fakes.predictions import PACE
from tests.fakes.replicate import Replicate, connect
from tests.fakes.world import REQUEST, World, settled


class Inputs:
    """Implements ports.Preparing: the functions' own, but for the process that strangers' files get."""

    def prepare(self, raw: bytes, cut: Cut) -> Prepared:
        return excerpt(raw, cut)


@pytest.fixture
def world() -> World:
    return World("replicate")


@pytest.fixture
def replicate(world: World) -> Iterator[Replicate]:
    """Replicate, as the only host of the world's models."""
    with Replicate(world.time) as running, urllib3.PoolManager() as http:
        running.fetch = world.objects.fetch
        hosts = {"replicate": connect(running, http, world.objects.send)}
        objects = world.objects
        world.conductor = replace(
            world.conductor,
            preparation=Preparation(objects, Inputs(), CATALOGUE),
            routing=Routing({"musicgen-small": ("replicate",)}, hosts, CATALOGUE, world.breakers),
            asking=Asking(hosts, Commissioning(objects), world.breakers),
            finishing=Finishing(objects, Joiner(), world.mastering),
            settling=replace(world.conductor.settling, backends=hosts),
        )
        yield running


def made(world: World, seconds: float) -> bytes:
    """What was handed to mastering for a piece of that length."""
    (job_id,) = world.submit(REQUEST.model_copy(update={"model": "musicgen-small", "duration": seconds}))
    world.run()
    assert settled(world) == [Status.COMPLETED], world.job(job_id).trials
    wav: bytes = world.objects.files[f"audio/1d/{job_id}/{job_id}.wav"]
    return wav.split(b"|", 2)[2].rpartition(b"|")[0]


@pytest.mark.parametrize(("seconds", "predictions"), [(12.5, 1), (70.0, 3), (300.0, 15)])
def test_a_piece_is_as_long_as_was_asked_to_the_sample(
    world: World, replicate: Replicate, seconds: float, predictions: int
) -> None:
    audio = decode(made(world, seconds))

    assert audio.samples.shape[1] == round(seconds * audio.rate)
    assert len(replicate.predictions) == predictions
    assert all(each.asked["input"]["duration"] <= 30 for each in replicate.predictions.values())


@pytest.mark.parametrize("seconds", [12.5, 30.0, 70.0])
def test_a_piece_costs_about_what_was_expected(world: World, replicate: Replicate, seconds: float) -> None:
    model = offered({"musicgen-small": ("replicate",)}, {"replicate": "a100-80gb"})["musicgen-small"]

    made(world, seconds)

    assert world.job("job-1").cost.actual_usd == pytest.approx(model.estimate(seconds)[0], rel=0.2)


def test_what_was_made_and_cannot_be_had_is_paid(world: World, replicate: Replicate) -> None:
    replicate.output = "https://example.com/out.wav"

    (job_id,) = world.submit(REQUEST.model_copy(update={"model": "musicgen-small", "duration": 30.0}))
    world.run()

    assert world.job(job_id).status is Status.FAILED
    assert world.job(job_id).cost.actual_usd == pytest.approx(30 * PACE * 0.0014)


def test_each_prediction_goes_on_from_the_one_before_with_the_next_seed(
    world: World, replicate: Replicate
) -> None:
    made(world, 70.0)

    first, *others = (each.asked["input"] for each in replicate.predictions.values())
    assert "input_audio" not in first
    assert len(others) > 1
    assert all(each["continuation"] for each in others)
    assert [each["seed"] for each in (first, *others)] == [seed(7, nth) for nth in range(len(others) + 1)]


def test_a_prediction_that_fails_is_made_again_alone_and_all_are_paid(
    world: World, replicate: Replicate
) -> None:
    replicate.answers = [Answer(503)]

    made(world, 70.0)

    job = world.job("job-1")
    computed = sum(each.seconds * each.pace for each in replicate.predictions.values())
    assert [trial.code for trial in job.trials] == ["http_503"]
    assert job.cost.actual_usd == pytest.approx(computed * 0.0014)
