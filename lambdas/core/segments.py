"""Pieces that are longer than a host makes at once: which stretch of them is made next, and with which seed.

Plans from what is there already, so that a piece may change hosts on its way. Seconds throughout, on the
piece's own time line. Must not know who makes a segment, or how segments become one recording.
"""

from math import ceil

from lambdas.core.pieces import Frozen

OVERLAP_SHARE = 1 / 3
"""Of what a host makes at once, how much may be what it has heard already. MusicGen's own continuation hears
12 of its 30 seconds again (audiocraft, `MusicGen.extend_stride` of 18)."""

NEWS = 1.0  # seconds that a segment brings beyond what it hears, at least
STRIDE = 0x9E3779B9  # 2³² divided by the golden ratio: multiples of it spread evenly (Knuth, TAOCP 6.4)
SLACK = 1e-6  # seconds that sums of floats may be off


class Segment(Frozen):
    """A part of a piece. It begins with what its host hears of the part before."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start


class Part(Segment):
    """A segment that is there, under the key that its attempt left it at."""

    key: str


def overlap(longest: float, heard: float) -> float:
    """Seconds of the part before that a segment begins with, where its model can hear so many."""
    return min(heard, longest * OVERLAP_SHARE)


def following(
    total: float, made: float, longest: float, heard: float, head: float = 0.0, since: float = 0.0
) -> Segment | None:
    """The next segment of a piece of `total` seconds of which `made` are there; None when it cannot be made.

    longest: seconds that the host makes at once. heard: of a part before, in seconds, as many as there are
    to be heard. since: where the part before begins, as no earlier one is heard. head: seconds of a recording
    that the piece begins with, which the first segment holds whole.
    Segments bring equally much, rather than as much as they can and a rest too short to be music.
    """
    if made == 0 and total <= longest:
        return Segment(start=0.0, end=total)
    if heard <= 0 or longest - heard < NEWS:
        return None
    if made == 0:
        count = ceil((total - heard) / (longest - heard) - SLACK)
        end = max(heard + (total - heard) / count, head + NEWS)
        return Segment(start=0.0, end=min(end, total)) if end <= longest + SLACK else None
    start, left = max(since, made - heard), total - made
    count = ceil(left / (longest - (made - start)) - SLACK)
    return Segment(start=start, end=total if count <= 1 else made + left / count)


def planned(total: float, longest: float, heard: float) -> float:
    """Seconds that a host makes for a piece of `total`, what its segments hear again included."""
    made, work, since = 0.0, 0.0, 0.0
    while made < total and (segment := following(total, made, longest, heard, since=since)) is not None:
        made, work, since = segment.end, work + segment.seconds, segment.start
    return max(work, total)


def seed(first: int, index: int) -> int:
    """The seed of segment `index`, from 0: one sequence for each piece, its first the piece's own."""
    return (first + index * STRIDE) % 2**32
