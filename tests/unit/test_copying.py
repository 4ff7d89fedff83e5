"""A seeded request that was made before: its audio is copied, or made anew when that is gone."""

import pytest

from lambdas.core.jobs import Status
from tests.fakes.stories import SEEDED
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
