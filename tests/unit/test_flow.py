"""The flow of a job under faults: every call of every port fails or crashes, before its effect and after.

Whatever happens, jobs end as they would have ended, and nothing of them is left behind.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.core.jobs import Status
from tests.fakes.stories import STORIES
from tests.fakes.wire import Fault
from tests.fakes.world import REQUEST, World, settled

BROKEN = pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name.lower())
TOLD = pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
PLACES = st.tuples(st.integers(0, 120), st.sampled_from(Fault))


@TOLD
def test_when_nothing_goes_wrong_no_janitor_is_needed(story):
    world = story.world()

    assert story.play(world) == story.ends
    assert not world.tidied


@TOLD
@BROKEN
def test_a_fault_at_any_call_of_a_port_changes_nothing_about_the_end(story, fault):
    for nth in range(story.length):
        world = story.world()
        world.wire.fault(nth, fault)

        ends = story.play(world)

        assert ends == story.ends, f"{fault} at call {nth}, {world.wire.calls[nth]}"


@settings(max_examples=400)
@given(story=st.sampled_from(list(STORIES.values())), one=PLACES, other=PLACES)
def test_two_faults_change_nothing_about_the_end(story, one, other):
    world = story.world()
    world.wire.fault(*one)
    world.wire.fault(*other)

    assert story.play(world) == story.ends


@settings(max_examples=200)
@given(story=st.sampled_from(list(STORIES.values())), places=st.lists(PLACES, min_size=3, max_size=40))
def test_any_number_of_faults_leaves_every_job_with_an_end(story, places):
    world = story.world()
    for place in places:
        world.wire.fault(*place)

    ends = story.play(world)

    assert set(ends) <= {Status.COMPLETED, Status.FAILED}


@TOLD
@settings(max_examples=25)
@given(random=st.randoms(use_true_random=False))
def test_messages_that_come_twice_and_out_of_order_change_nothing_about_the_end(story, random):
    world = story.world(copies=2, random=random)

    assert story.play(world) == story.ends


@settings(max_examples=200)
@given(story=st.sampled_from(list(STORIES.values())), random=st.randoms(use_true_random=False), place=PLACES)
def test_a_fault_among_messages_that_come_twice_and_out_of_order_leaves_an_end(story, random, place):
    world = story.world(copies=2, random=random)
    world.wire.fault(*place)

    ends = story.play(world)

    assert set(ends) <= {Status.COMPLETED, Status.FAILED}


@TOLD
def test_a_call_that_is_made_again_since_its_answer_was_lost_changes_nothing_about_the_end(story):
    for nth in range(story.length):
        world = story.world()
        world.wire.repeat(nth, "jobs", "ledger", "queue", "deliveries", "objects", "courier")

        ends = story.play(world)

        assert ends == story.ends, f"repeated call {nth}, {world.wire.calls[nth]}"
        assert story.drive is not World.submit or not world.tidied, f"repeated call {nth}"


@TOLD
def test_a_message_that_is_lost_is_missed_by_the_janitor(story):
    for nth in range(story.length):
        world = story.world()
        world.wire.swallow(nth, "queue.send", "queue.send_all")

        assert story.play(world) == story.ends, f"lost at call {nth}"


@TOLD
def test_a_conductor_whose_messages_are_all_lost_still_comes_to_an_end_by_the_janitor(story):
    world = story.world()
    for nth in range(300):
        world.wire.swallow(nth, "queue.send")

    assert story.play(world) == story.ends


@BROKEN
def test_a_request_asked_twice_with_one_key_is_the_same_jobs_wherever_the_first_try_ended(fault):
    request = REQUEST.model_copy(update={"variations": 3})
    for nth in range(8):
        world = World()
        world.wire.fault(nth, fault)

        first = world.submit(request)
        second = world.submit(request)

        world.run()
        assert first == second
        assert settled(world) == [Status.COMPLETED] * 3
