"""What becomes of the model's sound: its level, its peaks, and how far it is from the plain mix."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_container.engine.resampling import resample
from model_container.tracks.limiting import CEILING, limit
from model_container.tracks.mixing import common_level, compare, level, match, plain_mix

RATE = 24_000


def tone(hertz: float, amplitude: float, seconds: float = 1.0) -> np.ndarray:
    time = np.arange(int(RATE * seconds)) / RATE
    return (amplitude * np.sin(2 * np.pi * hertz * time + 0.7)).astype(np.float32)


def peak(sound: np.ndarray) -> float:
    """Measured at eight times the rate, away from where the sound is cut off."""
    return float(np.abs(resample(sound[None], 1, 8)[0, 800:-800]).max())


def test_the_output_is_as_loud_as_the_tracks_together() -> None:
    tracks = np.stack([tone(440, 0.4), tone(550, 0.1)])

    matched = match(tone(660, 0.15), tracks)

    assert level(matched) == pytest.approx(common_level(tracks), rel=1e-5)
    assert common_level(tracks) == pytest.approx(np.sqrt((0.4**2 + 0.1**2) / 4), rel=1e-3)


def test_a_faint_output_is_raised_to_three_times_its_level_at_most() -> None:
    tracks, faint = np.stack([tone(440, 0.9), tone(550, 0.9)]), tone(660, 0.01)

    assert level(match(faint, tracks)) == pytest.approx(3 * level(faint), rel=1e-5)
    assert level(match(np.zeros_like(faint), tracks)) == 0


def test_a_clip_of_a_moment_has_a_level_too() -> None:
    tracks = np.stack([tone(440, 0.4, 0.1), tone(550, 0.1, 0.1)])

    assert level(match(tone(660, 0.2, 0.1), tracks)) == pytest.approx(common_level(tracks), rel=1e-5)


def test_what_is_quiet_enough_is_not_touched() -> None:
    sound = tone(440, 0.85)

    assert limit(sound) is sound


@pytest.mark.parametrize("hertz", [50, 440, 6000, 8003])
@pytest.mark.parametrize("amplitude", [1.0, 1.7, 4.0])
def test_peaks_between_samples_are_limited_too(hertz: float, amplitude: float) -> None:
    limited = limit(tone(hertz, amplitude))

    assert limited.dtype == np.float32
    assert peak(limited) < CEILING * 1.04  # four points a sample may miss that much
    assert np.abs(limited).max() <= CEILING * 1.0001


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 3))
@settings(max_examples=30, deadline=None)
def test_no_sample_is_ever_too_loud(seed: int, amplitude: float) -> None:
    random = np.random.default_rng(seed)
    sound = (amplitude * random.standard_normal(int(random.integers(1, 3000)))).astype(np.float32)

    assert np.abs(limit(sound)).max() <= CEILING * 1.0001


def test_a_loud_moment_turns_down_its_surroundings_alone_and_smoothly() -> None:
    sound = tone(440, 0.5)
    sound[12_000:12_100] *= 3

    limited = limit(sound)

    np.testing.assert_array_equal(limited[:11_700], sound[:11_700])
    np.testing.assert_array_equal(limited[12_400:], sound[12_400:])
    loud = np.abs(sound) > 0.05
    gain = limited[loud] / sound[loud]
    assert np.abs(np.diff(gain)).max() < 0.05  # a clipped wave's gain would jump within a period


def test_the_plain_mix_is_both_tracks_at_one_level() -> None:
    tracks = np.stack([tone(440, 0.8), tone(550, 0.08)])

    mix = plain_mix(tracks)

    assert level(mix) == pytest.approx(common_level(tracks), rel=1e-5)
    shares = [float(mix @ track) / float(track @ track) * level(track) for track in tracks]
    assert shares[0] == pytest.approx(shares[1], rel=0.01)


def test_a_plain_mix_is_reported_as_one() -> None:
    tracks = np.stack([tone(440, 0.5), tone(550, 0.2)])

    report = compare(3 * plain_mix(tracks), tracks)

    assert report.distance_db < -60
    assert report.correlation == pytest.approx(1, abs=1e-4)
    assert report.explained == pytest.approx(1, abs=1e-4)


def test_one_track_alone_is_reported_as_such() -> None:
    tracks = np.stack([tone(440, 0.5), tone(550, 0.2)])

    report = compare(tracks[1], tracks)

    assert (report.weight1, report.weight2) == pytest.approx((0, 1), abs=1e-3)
    assert report.correlation == pytest.approx(np.sqrt(0.5), abs=0.01)
    assert report.distance_db == pytest.approx(10 * np.log10(2 - np.sqrt(2)), abs=0.1)


def test_something_new_is_reported_as_such() -> None:
    tracks = np.stack([tone(440, 0.5), tone(550, 0.2)])

    report = compare(tone(700, 0.3), tracks)

    assert abs(report.correlation) < 0.01
    assert report.explained < 0.01
    assert report.distance_db == pytest.approx(10 * np.log10(2), abs=0.1)


@pytest.mark.parametrize("silent", [[0], [1], [0, 1]])
def test_silence_breaks_nothing(silent: list[int]) -> None:
    tracks = np.stack([tone(440, 0.5), tone(550, 0.2)])
    tracks[silent] = 0

    values = vars(compare(tone(440, 0.3), tracks))

    assert np.isfinite(list(values.values())).all()
    assert np.isfinite(list(vars(compare(np.zeros_like(tracks[0]), tracks)).values())).all()
