"""Input sounds: any WAV, at the model's rate."""

import contextlib
import io
import tracemalloc
import wave

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from model_container.engine import resampling
from model_container.engine.resampling import resample
from model_container.server import sounds


def written(sound: np.ndarray, rate: int, width: int) -> bytes:
    buffer = io.BytesIO()
    whole = np.rint(sound * (2 ** (8 * width - 1) - 1)).astype(np.int64)
    raw = (whole + 128).astype(np.uint8) if width == 1 else whole.astype("<i8")
    data = raw.T.tobytes() if width == 1 else raw.T.copy().view(np.uint8).reshape(-1, 8)[:, :width].tobytes()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(len(sound))
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(data)
    return buffer.getvalue()


def read(data: bytes, rate: int, max_seconds: float, start: float = 0.0, *, mono: bool = False) -> np.ndarray:
    return sounds.read_wav(io.BytesIO(data), rate, max_seconds, start, mono=mono)


def tones(rate: int, seconds: float = 0.5) -> np.ndarray:
    time = np.arange(int(rate * seconds)) / rate
    return np.stack([0.5 * np.sin(2 * np.pi * 440 * time), 0.4 * np.sin(2 * np.pi * 5000 * time)])


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_every_width_is_read(width: int, channels: int) -> None:
    sound = tones(32000)[:channels]

    heard = read(written(sound, 32000, width), 32000, 10)

    assert heard.dtype == np.float32
    np.testing.assert_allclose(heard, sound, atol=2.0 ** (2 - 8 * width) + 1e-6)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000, 96000])
def test_every_rate_becomes_the_models(rate: int) -> None:
    sound = tones(rate)[: 1 if rate < 16000 else 2].astype(np.float32)

    converted = resample(sound, rate, 32000)

    assert converted.shape[1] == 16000
    np.testing.assert_allclose(converted[:, 800:-800], tones(32000)[: len(sound), 800:-800], atol=1e-4)


def test_what_the_rate_cannot_hold_is_left_out() -> None:
    high = np.sin(2 * np.pi * 20_000 * np.arange(48_000) / 48_000)[None].astype(np.float32)

    assert np.abs(resample(high, 48_000, 32_000)[:, 800:-800]).max() < 1e-3


def test_only_so_many_seconds_are_taken() -> None:
    assert read(written(tones(32000), 32000, 2), 32000, 0.25).shape == (2, 8000)


def test_two_channels_become_one_before_anything_else() -> None:
    sound = tones(48_000)

    heard = read(written(sound, 48_000, 2), 32_000, 10, mono=True)

    assert heard.shape == (1, 16_000)
    np.testing.assert_allclose(heard[:, 800:-800], tones(32_000).mean(axis=0)[None, 800:-800], atol=1e-4)


@pytest.mark.parametrize(("source", "target"), [(48_000, 32_000), (44_100, 24_000), (7, 3), (3, 7)])
def test_a_long_sound_is_the_same_in_blocks(
    source: int, target: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = np.random.default_rng(0).standard_normal((2, 40_001), np.float32)
    monkeypatch.setattr(resampling, "BLOCK", 10**9)
    at_once = resample(sound, source, target)

    monkeypatch.setattr(resampling, "BLOCK", 1)
    in_blocks = resample(sound, source, target)

    assert at_once.std() > 0.5
    np.testing.assert_allclose(in_blocks, at_once, atol=1e-5)


@pytest.mark.parametrize(("rate", "seconds", "mono"), [(192_000, 20, False), (48_000, 60, True)])
def test_reading_takes_little_more_memory_than_what_goes_in_and_comes_out(
    rate: int, seconds: int, mono: bool
) -> None:
    data = written(np.zeros((2, rate * seconds)), rate, 2)

    tracemalloc.start()
    sound = read(data, 32_000, 300, mono=mono)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert sound.shape == (1 if mono else 2, 32_000 * seconds)
    assert peak < sound.nbytes + (16 << 20)


@given(place=st.integers(0, 43), value=st.binary(min_size=1, max_size=8))
@example(place=34, value=(40).to_bytes(2, "little"))
@example(place=34, value=(64).to_bytes(2, "little"))
@example(place=24, value=bytes(4))
def test_a_header_of_any_kind_is_read_or_refused(place: int, value: bytes) -> None:
    data = bytearray(written(tones(8000, 0.01), 8000, 2))
    data[place : place + len(value)] = value

    with contextlib.suppress(ValueError):
        assert np.isfinite(read(bytes(data), 8000, 1)).all()


@pytest.mark.parametrize("bits", [40, 64])
def test_samples_wider_than_32_bits_are_refused(bits: int) -> None:
    data = bytearray(written(tones(8000), 8000, 2))
    data[34:36] = bits.to_bytes(2, "little")

    with pytest.raises(ValueError, match=f"{bits} bits"):
        read(bytes(data), 8000, 1)


def test_a_rate_of_zero_is_refused() -> None:
    data = bytearray(written(np.zeros((1, 0)), 8000, 2))
    data[24:28] = bytes(4)

    with pytest.raises(ValueError, match="0 Hz"):
        read(bytes(data), 8000, 1)


@pytest.mark.parametrize("data", [b"", b"la la la", written(tones(8000), 8000, 2)[:30]])
def test_what_is_no_wav_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a PCM WAV"):
        read(data, 32000, 10)


def test_it_is_heard_from_where_it_is_asked_to_start() -> None:
    sound = tones(32000)

    heard = read(written(sound, 32000, 2), 32000, 0.1, 0.25)

    np.testing.assert_allclose(heard, sound[:, 8000:11200], atol=1e-4)


@pytest.mark.parametrize("start", [0.5, 7.0, 1e12])
def test_a_start_past_the_end_is_refused(start: float) -> None:
    with pytest.raises(ValueError, match="past the end"):
        read(written(tones(32000), 32000, 2), 32000, 1, start)


@pytest.mark.parametrize("kept", [0, 16_000])
def test_a_header_that_promises_too_much_does_not_make_silence(kept: int) -> None:
    data = written(tones(32000)[:1], 32000, 2)[: 44 + kept]

    with pytest.raises(ValueError, match="past the end"):
        read(data, 32000, 1, 0.3)


def test_a_recording_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="past the end"):
        read(written(np.zeros((1, 0)), 32000, 2), 32000, 1)
