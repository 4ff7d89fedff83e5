"""Bring a waveform to the delivery level: -14 LUFS integrated, no true peak above -1 dBTP.

Raises the gain until the loudness fits while the limiter holds the peaks. Where both cannot hold, the ceiling
wins and the loudness stays what it is. Knows nothing of files and formats.
"""

import math
from dataclasses import dataclass

from lambdas.audio.limiter import Levels, limit, peak_levels
from lambdas.audio.loudness import Loudness, measure
from lambdas.audio.waveform import Waveform

TOLERANCE_LU = 0.1
MAX_LIMITING_DB = 36.0  # beyond it a recording would be all pumping and noise floor
SILENCE = 2 / 32768  # no louder than the dither of 16 bits: there is nothing to raise but noise
METER_DB = 0.1  # what another true-peak meter, oversampling at other instants, may read above ours
LOUDNESS_PASSES = 8
CEILING_PASSES = 3


@dataclass(frozen=True, slots=True)
class Goal:
    """The integrated loudness to reach, in LUFS, and the true peak not to pass, in dBTP."""

    loudness: float
    ceiling: float


DELIVERY = Goal(loudness=-14.0, ceiling=-1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Programme:
    """A waveform with what is measured of it once. `loudness` is None when there is none to measure."""

    waveform: Waveform
    levels: Levels
    loudness: float | None

    @property
    def silent(self) -> bool:
        return self.waveform.peak <= SILENCE


@dataclass(frozen=True, slots=True, eq=False)
class Levelled:
    """A waveform at the delivery level, what it measures, and the gain that took it there."""

    waveform: Waveform
    loudness: Loudness
    gain_db: float


def analyse(waveform: Waveform) -> Programme:
    """Measure what every later pass needs, at full scale: a quiet file must clear the meter's gate too."""
    peak = waveform.peak
    gain = 1 / peak if peak > SILENCE else 1.0
    loudness = measure(waveform, gain=gain, true_peak=False).integrated
    raised = 20 * math.log10(gain)
    return Programme(waveform, peak_levels(waveform), None if loudness is None else loudness - raised)


def level(programme: Programme, goal: Goal = DELIVERY, gain_db: float | None = None) -> Levelled:
    """Return the programme at the goal's loudness ±0.1 with its true peaks at or below the goal's ceiling.

    Length and sample rate stay. A silent programme stays as it is. `gain_db` is where the search begins, for
    instance what another goal needed.
    """
    if programme.silent:
        return Levelled(programme.waveform, measure(programme.waveform), 0.0)
    gain = _first_gain(programme, goal) if gain_db is None else gain_db
    margin = METER_DB
    for _ in range(CEILING_PASSES):
        waveform, gain = _search(programme, Goal(goal.loudness, goal.ceiling - margin), gain)
        loudness = measure(waveform)
        if loudness.true_peak is None or loudness.true_peak <= goal.ceiling:
            break
        margin += loudness.true_peak - goal.ceiling
    return Levelled(waveform, loudness, gain)


def reaches(levelled: Levelled, goal: Goal) -> bool:
    """Whether the goal holds already; what has no loudness to measure misses none."""
    loudness, peak = levelled.loudness.integrated, levelled.loudness.true_peak
    loud_enough = loudness is None or abs(loudness - goal.loudness) <= TOLERANCE_LU
    return loud_enough and (peak is None or peak <= goal.ceiling)


def _search(programme: Programme, goal: Goal, gain: float) -> tuple[Waveform, float]:
    """Find the gain by secants: the harder the limiter works, the less of a further decibel is heard."""
    most = goal.ceiling + MAX_LIMITING_DB - float(programme.levels.max())
    gain = min(gain, most)
    slope, before = 1.0, None
    for _ in range(LOUDNESS_PASSES):
        waveform = limit(programme.waveform, programme.levels, gain, goal.ceiling)
        loudness = measure(waveform, true_peak=False).integrated
        if loudness is None or abs(goal.loudness - loudness) <= TOLERANCE_LU:
            break
        if before is not None:
            slope = min(1.0, max(0.1, (loudness - before[1]) / (gain - before[0])))
        before = (gain, loudness)
        following = min(most, gain + (goal.loudness - loudness) / slope)
        if following == gain:
            break
        gain = following
    return waveform, gain


def _first_gain(programme: Programme, goal: Goal) -> float:
    return 0.0 if programme.loudness is None else goal.loudness - programme.loudness
