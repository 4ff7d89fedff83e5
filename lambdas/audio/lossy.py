"""MP3 and Opus that hold the delivery level once they are decoded, not only before they were encoded.

A codec adds to the peaks and takes from the loudness of what is mostly treble; neither is known beforehand.
"""

from collections.abc import Mapping
from dataclasses import replace

from lambdas.audio.decode import decode
from lambdas.audio.encode import encode
from lambdas.audio.level import DELIVERY, Goal, Levelled, Programme, level, reaches
from lambdas.audio.loudness import Loudness, measure
from lambdas.core.recordings import Format

FIRST_GOAL = replace(DELIVERY, ceiling=DELIVERY.ceiling - 1.0)  # the headroom that nearly always suffices
PASSES = 5
MARGIN_DB = 0.1
LOUDNESS_LU = 0.3  # a codec's change that is worth another try


def level_for_codecs(programme: Programme, levelled: Levelled, goal: Goal = FIRST_GOAL) -> Levelled:
    """Return `levelled` itself where it reaches the goal already, else the programme levelled anew."""
    return levelled if reaches(levelled, goal) else level(programme, goal, levelled.gain_db)


def encode_lossy(programme: Programme, levelled: Levelled, form: Format, tags: Mapping[str, str]) -> bytes:
    """Return a file that is at the delivery level when it is decoded.

    `levelled` is what level_for_codecs returned. Each try that misses is followed by one from a programme
    levelled to make up for what the codec did.
    """
    goal = FIRST_GOAL
    for _ in range(PASSES):
        file = encode(levelled.waveform, form, tags)
        following = _corrected(goal, levelled.loudness, measure(decode(file)))
        if following == goal:
            break
        goal = following
        levelled = level_for_codecs(programme, levelled, goal)
    return file


def _corrected(goal: Goal, given: Loudness, heard: Loudness) -> Goal:
    """Return the goal whose result, changed again as the codec just did, would be the delivery level."""
    return Goal(_loudness(goal, given, heard), _ceiling(goal, given, heard))


def _loudness(goal: Goal, given: Loudness, heard: Loudness) -> float:
    if given.integrated is None or heard.integrated is None:
        return goal.loudness
    lost = given.integrated - heard.integrated
    matters = abs(lost) > LOUDNESS_LU and abs(heard.integrated - DELIVERY.loudness) > LOUDNESS_LU
    return DELIVERY.loudness + lost if matters else goal.loudness


def _ceiling(goal: Goal, given: Loudness, heard: Loudness) -> float:
    if given.true_peak is None or heard.true_peak is None:
        return goal.ceiling
    overshoot = heard.true_peak - DELIVERY.ceiling
    too_quiet = given.integrated is not None and given.integrated < goal.loudness - LOUDNESS_LU
    matters = overshoot > 0 or (too_quiet and overshoot < -2 * MARGIN_DB)
    return given.true_peak - overshoot - MARGIN_DB if matters else goal.ceiling
