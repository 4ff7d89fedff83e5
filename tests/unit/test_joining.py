"""Segments become one recording: as long as was asked, as loud throughout, and no seam to be heard."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.audio.decode import decode
from lambdas.audio.joining import FADE, Joiner, crossfade
from lambdas.core.errors import UnusableAudio
from lambdas.core.ports import Stretch
from tests.unit.signals import float_wav, wav

RATE = 8_000


def music(
    seconds: float, channels: int = 1, seed: int = 0, rate: int = RATE, pitch: float = 220
) -> np.ndarray:
    """Noise without what is above a quarter of its band, and a tone: a signal with a steepness of its own."""
    generator = np.random.default_rng(seed)
    noise = generator.standard_normal((channels, round(seconds * rate) + 8))
    smooth = np.stack([np.convolve(each, np.hanning(9) / 4, "same") for each in noise])[:, 4:-4]
    tone = np.sin(2 * np.pi * pitch * np.arange(smooth.shape[1]) / rate)
    return 0.1 * smooth + 0.2 * tone


def cut(
    song: np.ndarray, edges: list[tuple[float, float]], gains: list[float] | None = None
) -> list[Stretch]:
    """A song as segments, each from its own start to its own end and at its own level."""
    return [
        Stretch(float_wav(gain * song[:, round(start * RATE) : round(end * RATE)], RATE), start, end)
        for (start, end), gain in zip(edges, gains or [1.0] * len(edges), strict=True)
    ]


def joined(stretches: list[Stretch]) -> np.ndarray:
    return decode(Joiner().join(stretches)).samples


def steepest(samples: np.ndarray) -> float:
    """The largest second difference: what a click is made of."""
    return float(np.abs(np.diff(samples, 2)).max())


THREE = [(0.0, 6.0), (4.0, 10.0), (8.0, 12.0)]


@pytest.mark.parametrize("channels", [1, 2])
def test_segments_of_one_song_are_that_song_again(channels):
    song = music(12, channels)

    assert np.abs(joined(cut(song, THREE)) - song).max() < 1e-6


def test_segments_at_levels_of_their_own_are_brought_to_one():
    song = music(12)

    assert np.abs(joined(cut(song, THREE, [1.0, 0.5, 1.7])) - song).max() < 1e-5


@given(
    total=st.floats(8, 20),
    longest=st.floats(5, 9),
    overlap=st.floats(0.2, 3),
)
@settings(max_examples=25, deadline=None)
def test_the_length_is_what_was_asked_to_the_sample(total, longest, overlap):
    song = music(total)
    edges, made = [(0.0, longest)] if longest < total else [(0.0, total)], min(longest, total)
    while made < total:
        edges.append((made - overlap, min(total, made - overlap + longest)))
        made = edges[-1][1]

    assert joined(cut(song, edges)).shape == (1, round(total * RATE))


@pytest.mark.parametrize("seed", range(5))
def test_at_a_seam_between_two_different_sounds_nothing_clicks_and_nothing_swells(seed):
    one, other = music(8, seed=seed), music(8, seed=seed + 100, pitch=330)
    whole = joined([Stretch(float_wav(one, RATE), 0.0, 8.0), Stretch(float_wav(other, RATE), 5.0, 13.0)])

    seam = slice(round((8 - FADE) * RATE) - 8, 8 * RATE + 8)
    assert steepest(whole[:, seam]) <= 1.1 * max(steepest(one), steepest(other))
    level = [np.sqrt(np.mean(part**2)) for part in (whole[:, : seam.start], whole[:, seam])]
    assert level[1] == pytest.approx(level[0], rel=0.15)


def test_where_two_segments_hold_the_same_sound_a_fade_changes_nothing():
    song = music(1).astype(np.float32)

    assert np.abs(crossfade(song, song) - song).max() < 1e-6


def test_a_fade_between_sounds_that_have_nothing_in_common_keeps_their_power():
    generator = np.random.default_rng(1)
    one, other = generator.standard_normal((2, 1, 200_000)).astype(np.float32)

    middle = crossfade(one, other)[:, 50_000:150_000]

    assert np.mean(middle**2) == pytest.approx(1.0, abs=0.02)


def test_what_a_host_made_too_much_is_cut():
    song = music(14)
    long = [
        Stretch(float_wav(song, RATE), 0.0, 6.0),
        Stretch(float_wav(song[:, 4 * RATE :], RATE), 4.0, 12.0),
    ]

    assert np.abs(joined(long) - song[:, : 12 * RATE]).max() < 1e-6


def test_another_hosts_rate_and_channels_become_the_first_ones():
    song = music(10)
    other = music(6, channels=2, rate=16_000)

    whole = joined(
        [Stretch(wav(song[:, : 6 * RATE], RATE), 0.0, 6.0), Stretch(wav(other, 16_000), 4.0, 10.0)]
    )

    assert whole.shape == (1, 10 * RATE)


def test_silence_is_given_no_level_to_match():
    quiet = np.zeros((1, 6 * RATE))

    whole = joined(cut(np.concatenate([quiet, music(6)], axis=1), [(0.0, 6.0), (4.0, 12.0)]))

    assert np.isfinite(whole).all()
    assert np.abs(whole).max() < 1


@pytest.mark.parametrize("edges", [[(0.0, 4.0), (5.0, 9.0)], [(0.0, 8.0), (2.0, 6.0)]])
def test_segments_that_do_not_meet_are_no_recording(edges):
    with pytest.raises(UnusableAudio):
        Joiner().join(cut(music(12), edges))


def test_a_segments_length_is_measured():
    assert Joiner().seconds(wav(music(2.5), RATE)) == 2.5
    with pytest.raises(UnusableAudio):
        Joiner().seconds(b"noise")
