"""Recordings from callers: every format is cut, mixed and resampled rightly, and used as far as it goes."""

import io
import wave

import numpy as np
import pytest

from lambdas.audio.excerpt import excerpt
from lambdas.audio.inputs import Inputs
from lambdas.core.errors import UnusableAudio
from lambdas.core.ports import Cut, Prepared
from tests.unit.recordings import (
    FORMATS,
    bare_wav,
    song,
    tune,
    with_cover,
)
from tests.unit.signals import Samples, float_wav, wav

MONO = Cut(start=0.0, end=None, longest=16.0, rate=24_000, channels=1)


def samples_of(prepared: Prepared) -> Samples:
    with wave.open(io.BytesIO(prepared.wav)) as file:
        assert file.getsampwidth() == 2
        assert file.getnframes() / file.getframerate() == prepared.seconds
        frames = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return frames.reshape(-1, file.getnchannels()).T / 32768


def likeness(heard: Samples, expected: Samples) -> float:
    """1.0 for the same sound at the same moment, whatever its level."""
    return float((heard * expected).sum() / np.sqrt((heard**2).sum() * (expected**2).sum()))


@pytest.mark.parametrize(
    ("name", "rate", "channels"),
    [
        (name, rate, channels)
        for name, (_, rates) in FORMATS.items()
        for rate in rates
        for channels in (1, 2)
        if (name, channels) != ("Ogg of Vorbis", 1)  # FFmpeg's own encoder is for stereo alone
    ],
)
def test_every_format_is_cut_where_it_was_asked_and_resampled(name: str, rate: int, channels: int) -> None:
    recording = song(name, 4, rate, channels)

    prepared = excerpt(recording, Cut(start=1.5, end=3.0, longest=16, rate=32_000, channels=channels))

    heard = samples_of(prepared)
    assert heard.shape == (channels, 48_000)
    least = 0.7 if name == "Ogg of Vorbis" else 0.98  # the one encoder at hand is FFmpeg's experiment
    assert likeness(heard, tune(1.5, 32_000, 1.5, channels)) > least


@pytest.mark.parametrize("tags", [1, 15])  # and the song's own
def test_tags_before_a_song_are_passed_by(tags: int) -> None:
    empty, recording = b"ID3\x04\0\0\0\0\0\0", song("MP3")

    assert excerpt(empty * tags + recording, MONO) == excerpt(recording, MONO)


def test_mono_is_the_mean_of_left_and_right():
    heard = samples_of(excerpt(wav(tune(2, 24_000), 24_000), MONO))

    assert heard == pytest.approx(tune(2, 24_000).mean(axis=0, keepdims=True), abs=1e-4)


def test_a_mono_recording_is_the_same_on_both_sides():
    heard = samples_of(excerpt(song("FLAC", channels=1), Cut(0, None, 16, 48_000, 2)))

    assert np.array_equal(heard[0], heard[1])


@pytest.mark.parametrize("channels", [3, 4, 6, 8])
def test_more_than_two_channels_are_mixed_down(channels: int) -> None:
    one = tune(2, 24_000, channels=1)

    heard = samples_of(excerpt(wav(np.repeat(one, channels, axis=0), 24_000), MONO))

    assert likeness(heard, one) > 0.999


def test_of_sixteen_bits_at_the_same_rate_not_one_is_changed():
    recording = wav(tune(2, 24_000, channels=1), 24_000)

    assert excerpt(recording, MONO).wav == recording


@pytest.mark.parametrize("name", ["MP3", "FLAC", "M4A of AAC"])
def test_a_cover_is_no_obstacle(name: str) -> None:
    heard = samples_of(Inputs().prepare(with_cover(name), MONO))[:, :72_000]

    assert likeness(heard, tune(3, 24_000).mean(axis=0, keepdims=True)) > 0.98


def test_of_a_long_part_the_first_seconds_are_taken_or_the_last():
    recording = wav(tune(5, 24_000, channels=1), 24_000)

    first = excerpt(recording, Cut(1, 4.5, 2, 24_000, 1))
    last = excerpt(recording, Cut(1, 4.5, 2, 24_000, 1, from_end=True))

    assert (first.seconds, last.seconds) == (2.0, 2.0)
    assert samples_of(first) == pytest.approx(tune(2, 24_000, 1.0, 1), abs=1e-4)
    assert samples_of(last) == pytest.approx(tune(2, 24_000, 2.5, 1), abs=1e-4)


def test_a_part_that_ends_after_the_recording_ends_with_it():
    assert excerpt(wav(tune(3, 24_000), 24_000), Cut(1, 40, 16, 24_000, 1)).seconds == 2.0


def test_a_start_past_the_end_is_refused_with_both_numbers():
    with pytest.raises(UnusableAudio, match=r"starts at 40 s, but the recording has 3\.0 s"):
        excerpt(song("WAV of 16 bits"), Cut(40, None, 16, 24_000, 1))


def test_a_part_of_less_than_a_second_is_refused():
    with pytest.raises(UnusableAudio, match=r"holds 0\.50 s of sound; at least 1 s"):
        excerpt(song("WAV of 16 bits"), Cut(2.5, None, 16, 24_000, 1))


def test_what_exceeds_full_scale_is_made_quieter_as_a_whole():
    loud = tune(2, 24_000, channels=1) * 10

    heard = samples_of(excerpt(float_wav(loud, 24_000), MONO))

    assert np.abs(heard).max() == pytest.approx(1.0, abs=1e-4)
    assert likeness(heard, loud) > 0.999_99


@pytest.mark.parametrize("name", ["WAV of 16 bits", "MP3", "FLAC", "Ogg of Opus"])
def test_a_recording_that_breaks_off_is_used_as_far_as_it_goes(name: str) -> None:
    whole = song(name, 4)

    prepared = excerpt(whole[: len(whole) * 6 // 10], MONO)

    heard = samples_of(prepared)
    assert 1.0 < prepared.seconds < 3.5
    assert likeness(heard, tune(4, 24_000).mean(axis=0, keepdims=True)[:, : heard.shape[1]]) > 0.98


@pytest.mark.parametrize("claimed", [0xFFFF_FFFF, 0xF000_0000])
def test_a_wav_that_claims_four_gigabytes_has_what_it_has(claimed: int) -> None:
    """Programs that write to a pipe cannot know the length beforehand."""
    prepared = Inputs().prepare(bare_wav(claimed=claimed, riff=0xFFFF_FFFF), MONO)

    assert prepared.seconds == 3.0


@pytest.mark.parametrize("riff", [0, 4, 100])
def test_a_wav_whose_outer_size_is_wrong_has_what_it_has(riff: int) -> None:
    assert excerpt(bare_wav(riff=riff), MONO).seconds == 3.0


@pytest.mark.parametrize("name", ["MP3", "FLAC"])
def test_a_recording_that_changes_its_rate_on_the_way_is_refused(name: str) -> None:
    with pytest.raises(UnusableAudio, match="changes its sample rate"):
        excerpt(song(name, rate=44_100) + song(name, rate=48_000), MONO)
