"""Which stretch of a long piece comes next: nothing left out, nothing longer than a host makes."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.core.segments import NEWS, Segment, following, overlap, seed

SECONDS = st.floats(1, 300)
LONGEST = st.floats(5, 120)
HEARD = st.floats(0.5, 20)


def plan(total: float, longest: list[float], heard: float) -> list[Segment]:
    """The whole piece, each segment on a host of its own."""
    made, segments = 0.0, list[Segment]()
    while made < total:
        most = longest[min(len(segments), len(longest) - 1)]
        since = segments[-1].start if segments else 0.0
        segment = following(total, made, most, overlap(most, heard), since=since)
        assert segment is not None
        segments.append(segment)
        made = segment.end
        assert len(segments) < 1000
    return segments


@given(SECONDS, LONGEST, HEARD)
def test_segments_cover_the_piece_and_no_more(total, longest, heard):
    segments = plan(total, [longest], heard)

    assert segments[0].start == 0.0
    assert segments[-1].end == total
    for before, after in pairwise(segments):
        assert before.start < after.start < before.end < after.end


@given(SECONDS, LONGEST, HEARD)
def test_no_segment_is_longer_than_the_host_makes(total, longest, heard):
    assert all(segment.seconds <= longest + 1e-4 for segment in plan(total, [longest], heard))


@given(SECONDS, LONGEST, HEARD)
def test_each_segment_hears_as_much_as_it_should_of_the_one_before(total, longest, heard):
    segments = plan(total, [longest], heard)

    for before, after in pairwise(segments):
        assert before.end - after.start == pytest.approx(overlap(longest, heard))


@given(SECONDS, LONGEST, HEARD)
def test_there_are_no_more_segments_than_are_needed_and_all_bring_equally_much(total, longest, heard):
    segments = plan(total, [longest], heard)

    again = overlap(longest, heard)
    assert total > longest or len(segments) == 1
    assert (len(segments) - 2) * (longest - again) < total
    news = [after.end - before.end for before, after in pairwise(segments)]
    assert news == pytest.approx([sum(news) / len(news)] * len(news)) if news else True


@given(SECONDS, st.lists(LONGEST, min_size=2, max_size=6), HEARD)
def test_a_piece_may_change_hosts_between_any_two_segments(total, hosts, heard):
    segments = plan(total, hosts, heard)

    assert segments[-1].end == total
    for before, after in pairwise(segments):
        assert before.start <= after.start < before.end < after.end
    for segment, longest in zip(segments, hosts, strict=False):
        assert segment.seconds <= longest + 1e-4


@given(st.floats(31, 300), st.floats(1, 20))
def test_the_first_segment_holds_what_the_piece_begins_with_and_more(total, head):
    segment = following(total, 0.0, 30.0, 10.0, head)

    assert segment is not None
    assert head + NEWS <= segment.end <= 30.0


@pytest.mark.parametrize(("heard", "head"), [(0.0, 0.0), (10.0, 29.5)])
def test_what_cannot_be_gone_on_from_is_not_begun(heard, head):
    assert following(60.0, 0.0, 30.0, heard, head) is None


def test_five_minutes_on_a_host_that_makes_thirty_seconds():
    segments = plan(300.0, [30.0], 20.0)

    assert len(segments) == 15
    assert [round(segment.seconds, 2) for segment in segments] == [29.33] * 15


@given(st.integers(0, 2**32 - 1))
def test_seeds_are_one_sequence_that_begins_with_the_pieces_own(first):
    seeds = [seed(first, index) for index in range(60)]

    assert seeds[0] == first
    assert len(set(seeds)) == 60
    assert all(0 <= each < 2**32 for each in seeds)
    assert seeds == [seed(first, index) for index in range(60)]
