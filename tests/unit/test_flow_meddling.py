"""The flow of a job while others meddle: its owner cancels, deletes or renames it, a message comes twice,
the janitor passes, at every single call of a port, in the very middle of a step.
"""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.core.errors import RequestError
from lambdas.core.jobs import Status
from tests.fakes.stories import STORIES, Story
from tests.fakes.wire import Fault
from tests.fakes.world import LEASE, OWNER, World, settled

TOLD = pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
ANY = st.sampled_from(list(STORIES.values()))
PLACE = st.integers(0, 80)

Act = Callable[[World, str], object]


def cancel(world: World, job_id: str) -> None:
    world.collection.cancel(job_id, OWNER)


def delete(world: World, job_id: str) -> None:
    world.collection.delete(job_id, OWNER)


def rename(world: World, job_id: str) -> None:
    world.collection.amend(job_id, OWNER, lambda job: job.but(title="Hail"))


def meddle(world: World, nth: int, act: Act, job_id: str = "job-1") -> list[bool]:
    """Do it before call n. The list tells whether it was done, once it was tried."""
    done: list[bool] = []

    def hook() -> None:
        try:
            act(world, job_id)
        except RequestError:  # there is no such job yet, or it has ended
            done.append(False)
        else:
            done.append(True)

    world.wire.before[nth] = hook
    return done


def meddled(story: Story, act: Act, alike: bool = False) -> list[tuple[World, bool]]:
    """The story's worlds, one for each moment at which somebody meddled with it, and whether they could."""
    worlds = []
    for nth in range(story.length):
        world = story.world()
        world.mastering.alike = alike
        done = meddle(world, nth, act)
        story.drive(world)
        world.run()
        worlds.append((world, done == [True]))
    assert any(done for _, done in worlds)
    return worlds


@TOLD
def test_a_job_canceled_at_any_moment_stays_canceled_and_leaves_nothing(story):
    for world, done in meddled(story, cancel):
        ends = settled(world)

        assert not world.tidied
        if done:
            row = world.jobs.get("job-1")
            assert row is None or row.status is Status.CANCELED
            assert not [name for name, _ in world.announced() if name == "msg_job-1"]
        else:
            assert ends == story.ends


@pytest.mark.parametrize("act", [cancel, delete])
@pytest.mark.parametrize("name", ["plain", "slow"])
def test_whatever_was_started_for_a_job_that_is_not_wanted_any_more_is_told_to_stop(name, act):
    for world, done in meddled(STORIES[name], act):
        host = world.hosts["first"]

        wanted = not done or world.laws.seen["job-1"].audio is not None
        assert wanted or set(host.tickets) == set(host.canceled)


@TOLD
def test_a_job_deleted_at_any_moment_leaves_no_trace(story):
    for world, done in meddled(story, delete):
        settled(world)

        assert not world.tidied
        assert (world.jobs.get("job-1") is None) == (done or "gone" in _name(story))
        assert not [key for key in world.objects.files if "/job-1/" in key and done]


@TOLD
def test_a_job_renamed_at_any_moment_keeps_its_name_and_its_end(story):
    for world, done in meddled(story, rename):
        assert settled(world) == story.ends

        assert not world.tidied
        if done and "gone" not in _name(story):
            assert world.job().title == "Hail"


@TOLD
def test_a_message_that_comes_again_in_the_middle_of_a_step_finds_nothing_to_do(story):
    for world, _ in meddled(story, lambda world, job_id: world.conductor.step(job_id)):
        assert settled(world) == story.ends


@TOLD
def test_a_janitor_in_the_middle_of_a_step_does_no_harm(story):
    def late_round(world: World, _: str) -> None:
        world.time.pass_by(100)
        world.janitor.tidy()

    for world, _ in meddled(story, late_round):
        assert settled(world) == story.ends


@pytest.mark.parametrize("story", [STORIES[name] for name in ("plain", "slow", "refused", "variations")])
def test_a_second_request_with_the_same_key_at_any_moment_makes_no_second_job(story):
    def ask_again(world: World, _: str) -> None:
        story.drive(world)

    for world, _ in meddled(story, ask_again):
        assert settled(world) == story.ends


@TOLD
def test_a_worker_that_outlives_its_lease_starts_nothing_twice_and_ends_nothing_twice(story):
    def overtake(world: World, job_id: str) -> None:
        world.time.pass_by(LEASE.total_seconds() + 1)
        with suppress(Exception):
            world.conductor.step(job_id)

    # What it still writes may land on its successor's files: a function must end before its lease does.
    for world, _ in meddled(story, overtake, alike=True):
        assert settled(world) == story.ends


@settings(max_examples=300)
@given(
    story=ANY,
    act=st.sampled_from((cancel, delete, rename)),
    moment=PLACE,
    place=PLACE,
    fault=st.sampled_from(Fault),
    random=st.randoms(use_true_random=False),
    copies=st.integers(1, 2),
)
def test_meddling_and_a_fault_at_any_two_moments_leave_an_end(
    story, act, moment, place, fault, random, copies
):
    world = story.world(copies, random)
    world.wire.fault(place, fault)
    meddle(world, moment, act)

    story.drive(world)
    world.run()

    assert all(status.terminal for status in settled(world))


@settings(max_examples=300)
@given(
    story=ANY,
    one=st.sampled_from((cancel, delete, rename)),
    other=st.sampled_from((cancel, delete, rename)),
    first=PLACE,
    second=PLACE,
)
def test_meddling_at_any_two_moments_leaves_an_end(story, one, other, first, second):
    world = story.world()
    meddle(world, first, one)
    meddle(world, second, other)

    story.drive(world)
    world.run()

    assert all(status.terminal for status in settled(world))


def test_a_job_that_was_canceled_before_it_began_asks_no_host():
    world = World()
    (job_id,) = world.submit()

    world.collection.cancel(job_id, OWNER)
    world.run()

    assert settled(world) == [Status.CANCELED]
    assert world.hosts["first"].starts.total() == 0


def _name(story: Story) -> str:
    return next(name for name, other in STORIES.items() if other is story)
