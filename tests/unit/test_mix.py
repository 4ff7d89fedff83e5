"""A plain mix: what is heard of each track, how loud the whole is, how long."""

import numpy as np
import pytest

from lambdas.backends.mix import mix
from tests.unit.signals import Samples, heard, sine, wav

RATE = 24_000


def a_track(hertz: float, level: float, seconds: float = 2.0) -> Samples:
    """A tone of this root mean square."""
    return sine(seconds, RATE, hertz, 1) * (level * 2**0.5)


def mixed(*tracks: Samples, seconds: float = 2.0) -> Samples:
    result = heard(mix([wav(track, RATE) for track in tracks], seconds))
    assert (result.rate, result.samples.shape) == (RATE, (1, round(seconds * RATE)))
    return result.samples.astype(np.float64)


def share(sound: Samples, hertz: float) -> float:
    """How strong a tone is in a sound: its amplitude."""
    time = np.arange(sound.shape[1]) / RATE
    return float(2 * abs(np.mean(sound[0] * np.exp(-2j * np.pi * hertz * time))))


def level(sound: Samples) -> float:
    return float(np.sqrt(np.mean(sound**2)))


def test_a_loud_and_a_soft_track_are_heard_alike():
    result = mixed(a_track(300, 0.3), a_track(500, 0.03))

    assert share(result, 300) == pytest.approx(share(result, 500), rel=0.01)


def test_the_mix_has_the_mean_energy_of_its_tracks():
    first, second = a_track(300, 0.3), a_track(500, 0.1)

    assert level(mixed(first, second)) == pytest.approx(np.sqrt((0.3**2 + 0.1**2) / 2), rel=0.01)


def test_a_track_that_ends_early_leaves_the_other_alone():
    result = mixed(a_track(300, 0.2), a_track(500, 0.2, seconds=1.0))

    assert share(result[:, :RATE], 500) > 0.1
    assert share(result[:, RATE:], 500) < 0.001
    assert share(result[:, RATE:], 300) > 0.1


@pytest.mark.parametrize("seconds", [1.0, 2.5, 16.0])
def test_the_mix_is_as_long_as_asked(seconds: float) -> None:
    mixed(a_track(300, 0.2), a_track(500, 0.2), seconds=seconds)


def test_silence_adds_nothing():
    track, silence = a_track(300, 0.2), np.zeros((1, 2 * RATE))

    assert share(mixed(track, silence), 300) == pytest.approx(0.2, rel=0.01)
    assert not mixed(silence, silence).any()


def test_nothing_is_clipped():
    tracks = [np.sign(a_track(hertz, 0.3)) * 0.99 for hertz in (300, 310)]

    result, added = mixed(*tracks), sum(tracks)

    assert 0.99 < np.abs(result).max() <= 1.0
    assert np.abs(result / np.abs(result).max() - added / np.abs(added).max()).max() < 0.001
