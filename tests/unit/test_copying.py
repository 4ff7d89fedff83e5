"""A seeded request that was made before: its audio is copied, or made anew when that is gone."""

import pytest

from lambdas.core.errors import RequestError
from lambdas.core.jobs import Status
from lambdas.core.ports import Finished
from lambdas.core.spending import Ceilings
from tests.fakes.stories import ESTIMATE, LONG, SEEDED, spent
from tests.fakes.world import World, settled


def test_a_copy_is_answered_with_the_earlier_audio_and_asks_no_host():
    world = World()
    (first,) = world.submit(SEEDED)
    world.run()

    (again,) = world.submit(SEEDED, key="again")
    world.run()

    assert settled(world) == [Status.COMPLETED] * 2
    assert world.job(again).audio == world.job(first).audio
    assert world.job(again).cost.actual_usd == 0.0
    assert world.hosts["first"].starts.total() == 1


@pytest.mark.parametrize("lost", ["peaks.json", "job-1.wav"])
def test_a_copy_whose_source_has_lost_a_file_is_made_anew(lost):
    world = World()
    world.submit(SEEDED)
    world.run()
    (again,) = world.submit(SEEDED, key="again")
    del world.jobs.documents["job-1"]
    world.jobs.insert(world.laws.seen.pop("job-1").but(job_id="job-1", due_at=None))
    world.objects.remove([f"audio/1d/job-1/{lost}"])
    world.wire.watch = lambda: None  # the source is against the law from here on

    world.run()

    assert world.job(again).status is Status.COMPLETED
    assert world.job(again).copy_of is None
    assert world.hosts["first"].starts.total() == 2


def test_a_copy_of_a_copy_leads_to_the_same_music():
    world = World()
    world.submit(SEEDED)
    world.run()
    for key in ("again", "and again"):
        world.submit(SEEDED, key=key)
        world.run()

    assert settled(world) == [Status.COMPLETED] * 3
    assert world.hosts["first"].starts.total() == 1


def test_the_cache_is_no_way_around_a_ceiling():
    world = World(ceilings=Ceilings(stage=0.5))
    seeded = LONG.model_copy(update={"seed": 42})
    (source,) = world.submit(seeded, "one")
    world.run()
    world.delete(source)
    world.run()

    for nth in range(5):
        with pytest.raises(RequestError):
            world.submit(seeded, f"again-{nth}")

    world.run()
    assert world.hosts["first"].starts.total() == 1
    assert spent(world) == pytest.approx((0.5, 0.5))


def test_a_copy_whose_source_goes_meanwhile_is_made_as_far_as_the_ceiling_goes():
    world = World(ceilings=Ceilings(principal=1.0))
    seeded = LONG.model_copy(update={"seed": 42})
    (source,) = world.submit(seeded, "one")
    world.run()
    copies = [world.submit(seeded, f"again-{nth}")[0] for nth in range(3)]
    assert [world.job(copy).cost.estimate_usd for copy in copies] == [0.0] * 3

    world.delete(source)
    world.run()

    made, *others = sorted(map(world.job, copies), key=lambda job: job.status)
    assert (made.status, made.cost.estimate_usd) == (Status.COMPLETED, ESTIMATE)
    assert [job.fault and job.fault.code for job in others] == ["quota_exceeded"] * 2
    assert world.hosts["first"].starts.total() == 2
    assert spent(world) == pytest.approx((1.0, 1.0))


def test_a_copy_of_what_costs_nothing_is_made_whatever_the_ceiling_when_its_source_goes():
    world = World(ceilings=Ceilings(stage=0.0))
    world.hosts["first"].answers = (Finished(),)
    (source,) = world.submit(SEEDED, "one")
    world.run()
    (copy,) = world.submit(SEEDED, "again")

    world.delete(source)
    world.run()

    assert world.job(copy).status is Status.COMPLETED


def test_a_copy_costs_nothing_beyond_the_ceiling():
    world = World(ceilings=Ceilings(stage=0.5))
    seeded = LONG.model_copy(update={"seed": 42})
    world.submit(seeded, "one")
    world.run()

    world.submit(seeded, "again")
    world.run()

    assert settled(world) == [Status.COMPLETED] * 2
    assert spent(world) == pytest.approx((0.5, 0.5))
