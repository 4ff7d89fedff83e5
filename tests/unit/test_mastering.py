"""Mastering, heard as a listener hears it: files measured by FFmpeg, tags read by mutagen."""

import io

import av
import mutagen
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.audio.level import analyse, level
from lambdas.audio.limiter import limit, peak_levels
from lambdas.audio.mastering import Mastering
from lambdas.audio.waveform import Waveform
from lambdas.core.recordings import Format, Label, Recording
from tests.unit.signals import SIGNALS, float_wav, heard, music, noise, plucks, sine, wav

LABEL = Label("Lied 🎵 שלום", "01JOB", "mock-composer", "r1", "CC0-1.0", 2**63 - 1, mock=True)
LOSSLESS = (Format.WAV, Format.FLAC)
FRAME = 1152  # samples of an MP3 frame, the coarsest of the four formats


def master(raw: bytes) -> Recording:
    return Mastering(signer=None, version="0.1.0").master(raw, LABEL)


@pytest.fixture(scope="module")
def recording() -> Recording:
    return master(wav(music(2, 44100), 44100))


@pytest.mark.parametrize("name", SIGNALS)
def test_any_signal_comes_out_at_the_delivery_level_in_every_format(name):
    samples, rate = SIGNALS[name]()

    recording = master(float_wav(samples, rate))

    for form, file in recording.files.items():
        result = heard(file)
        assert result.loudness == pytest.approx(-14, abs=0.5), form
        assert result.true_peak <= -1, form


@pytest.mark.parametrize("name", SIGNALS)
def test_no_sample_is_lost_or_added(name):
    samples, rate = SIGNALS[name]()

    files = master(float_wav(samples, rate)).files

    for form in LOSSLESS:
        result = heard(files[form])
        assert (result.samples.shape, result.rate) == (samples.shape, rate)
    assert heard(files[Format.MP3]).samples.shape[1] == pytest.approx(samples.shape[1], abs=FRAME)
    opus = heard(files[Format.OGG])
    assert opus.rate == 48000
    assert opus.samples.shape[1] == pytest.approx(samples.shape[1] * 48000 / rate, abs=1)


@settings(max_examples=12, deadline=None)
@given(
    rate=st.sampled_from([22050, 24000, 32000, 44100, 48000]),
    channels=st.sampled_from([1, 2]),
    seconds=st.floats(0.5, 2.0),
    level_db=st.floats(-80, 20),
    hertz=st.floats(80, 4000),
    crest=st.floats(0, 30),
)
def test_level_shape_rate_and_length_of_the_input_make_no_difference(
    rate, channels, seconds, level_db, hertz, crest
):
    time = np.arange(round(seconds * rate)) / rate
    tone = sine(seconds, rate, hertz, channels) * np.exp(-(time % 0.2) * crest)
    samples = (tone + noise(seconds, rate, channels) * 0.1) * 10 ** (level_db / 20)

    files = master(float_wav(samples, rate)).files

    results = {form: heard(file) for form, file in files.items()}
    assert all(abs(result.loudness + 14) <= 0.5 for result in results.values()), results
    assert all(result.true_peak <= -1 for result in results.values()), results
    assert results[Format.WAV].samples.shape == samples.shape


def test_the_ceiling_wins_where_loudness_and_peak_cannot_both_hold():
    clicks = np.zeros((2, 4 * 44100))
    clicks[:, 22050::44100] = 1.0

    recording = master(wav(clicks, 44100))

    for file in recording.files.values():
        assert heard(file).true_peak <= -1
    loudness = recording.measurement.loudness_lufs
    assert loudness is not None
    assert loudness < -20
    assert loudness == pytest.approx(heard(recording.files[Format.WAV]).loudness, abs=0.1)


def test_silence_stays_silent_and_has_no_loudness():
    recording = master(wav(np.zeros((2, 44100)), 44100))

    assert recording.measurement.loudness_lufs is None
    for file in recording.files.values():
        assert np.abs(heard(file).samples).max() < 1e-4


def test_the_dither_of_an_empty_take_is_not_raised_to_music():
    dither = np.random.default_rng(1).integers(-1, 2, (2, 44100)) / 32767

    files = master(wav(dither, 44100)).files

    assert np.abs(heard(files[Format.WAV]).samples).max() <= 2 / 32768


def test_five_minutes_are_mastered_like_five_seconds():
    samples = sine(300, 16000, 440, channels=1)

    recording = master(wav(samples, 16000))

    assert recording.measurement.seconds == 300
    assert heard(recording.files[Format.MP3]).loudness == pytest.approx(-14, abs=0.5)


def test_what_needs_no_limiting_is_only_made_louder():
    samples = noise(2, 44100) * 0.05

    result = heard(master(float_wav(samples, 44100)).files[Format.WAV]).samples

    gain = np.vdot(samples, result) / np.vdot(samples, samples)
    assert np.abs(result - gain * samples).max() <= 1 / 32768


def test_the_measurement_is_that_of_the_wav(recording):
    result = heard(recording.files[Format.WAV])

    told = recording.measurement
    assert (told.seconds, told.sample_rate, told.channels) == (2.0, 44100, 2)
    assert told.loudness_lufs == pytest.approx(result.loudness, abs=0.05)
    assert told.true_peak_dbtp == pytest.approx(result.true_peak, abs=0.05)


def test_wav_and_flac_hold_the_same_samples(recording):
    assert np.array_equal(
        heard(recording.files[Format.WAV]).samples, heard(recording.files[Format.FLAC]).samples
    )


@pytest.mark.parametrize(
    ("form", "codec"), [("wav", "pcm_s16le"), ("flac", "flac"), ("mp3", "mp3float"), ("ogg", "opus")]
)
def test_each_format_is_what_its_name_says(recording, form, codec):
    with av.open(io.BytesIO(recording.files[Format(form)])) as container:
        assert container.format.name == form
        assert container.streams.audio[0].codec_context.name.removeprefix("lib") == codec


def test_a_lossy_file_sounds_like_the_lossless_one(recording):
    original = heard(recording.files[Format.WAV]).samples
    mp3 = heard(recording.files[Format.MP3]).samples

    residue = original - mp3[:, : original.shape[1]]

    assert np.sqrt(np.mean(residue**2)) < 0.1 * np.sqrt(np.mean(original**2))


@pytest.mark.parametrize("form", [Format.FLAC, Format.OGG])
def test_vorbis_comments_name_the_origin(recording, form):
    comments = mutagen.File(io.BytesIO(recording.files[form])).tags

    assert comments["title"] == [LABEL.title]
    assert comments["AI-generated"] == ["true"]
    assert (comments["model"], comments["model_revision"]) == (["mock-composer"], ["r1"])
    assert (comments["license"], comments["seed"], comments["job_id"]) == (
        ["CC0-1.0"],
        [str(2**63 - 1)],
        ["01JOB"],
    )


def test_id3_names_the_origin(recording):
    frames = mutagen.File(io.BytesIO(recording.files[Format.MP3])).tags

    assert frames["TIT2"].text == [LABEL.title]
    assert frames["TXXX:AI-generated"].text == ["true"]
    assert frames["TXXX:MODEL"].text == ["mock-composer"]
    assert frames["TXXX:LICENSE"].text == ["CC0-1.0"]
    assert frames["TXXX:SEED"].text == [str(2**63 - 1)]
    assert frames["TXXX:JOB_ID"].text == ["01JOB"]


def test_riff_info_names_the_origin(recording):
    file = recording.files[Format.WAV]
    info = heard(file).metadata

    assert b"LIST" in file
    assert info["title"] == LABEL.title
    assert info["IKEY"] == "AI-generated"
    comment = info["comment"].split("; ")
    assert comment[0] == "AI-generated"
    assert {"model=mock-composer", "license=CC0-1.0", f"seed={2**63 - 1}", "job_id=01JOB"} <= set(comment)


def test_without_a_signer_nothing_claims_to_be_signed(recording):
    assert recording.signed == frozenset()


def test_the_limiter_leaves_alone_what_is_far_from_a_peak():
    rate = 48000
    samples = sine(2, rate, 440).astype(np.float32) * 0.3
    samples[:, rate : rate + 50] *= 3
    waveform = Waveform(samples, rate)

    limited = limit(waveform, peak_levels(waveform), 0.0, -6.0)

    assert np.array_equal(limited.samples[:, : rate - rate // 50], samples[:, : rate - rate // 50])
    assert np.array_equal(limited.samples[:, rate + rate // 5 :], samples[:, rate + rate // 5 :])
    assert np.abs(limited.samples).max() <= 10 ** (-6 / 20) + 1e-6


def test_the_limiter_turns_both_channels_alike():
    samples = music(1, 44100).astype(np.float32)
    samples[1] *= 0.25
    waveform = Waveform(samples, 44100)

    limited = limit(waveform, peak_levels(waveform), 12.0, -1.0)

    audible = np.abs(samples).min(axis=0) > 1e-3
    gains = limited.samples[:, audible] / samples[:, audible]
    assert np.allclose(gains[0], gains[1], rtol=1e-4)


def test_levelling_a_levelled_recording_again_changes_next_to_nothing():
    once = level(analyse(Waveform(plucks(2, 44100).astype(np.float32), 44100)))

    twice = level(analyse(once.waveform))

    assert twice.gain_db == pytest.approx(0, abs=0.3)


def test_stereo_from_more_channels_is_mixed_down():
    six = np.concatenate([music(1, 48000)] * 3)

    recording = master(float_wav(six, 48000))

    assert recording.measurement.channels == 2


def test_every_format_we_write_can_be_mastered_again(recording):
    for file in recording.files.values():
        assert master(file).measurement.seconds == pytest.approx(2, abs=0.03)
