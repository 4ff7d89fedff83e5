"""What is trained on and validated on: never the same song, the same again for the same seed."""

import io
import wave
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.audio.resampler import AudioResampler
from hypothesis import given
from hypothesis import strategies as st

from lambdas.backends.composer import perform, plan, to_wav
from model_container.training.pairs import batches, corpus, partners, split
from model_container.training.recipe import Recipe, TrainingError
from model_container.training.songs import RATE, Song, decode, decoded, find

seeds = st.integers(0, 2**32)
collections = st.lists(st.integers(1, 400), min_size=2, max_size=30).map(
    lambda lengths: [Song(f"{i:04}", Path(f"{i}.npy"), s * RATE) for i, s in enumerate(lengths)]
)


@given(collections, st.floats(0.01, 0.99), seeds)
def test_every_song_is_on_one_side_and_each_side_has_one(songs, share, seed):
    training, validation = split(songs, share, seed)

    assert sorted(song.key for song in training + validation) == [song.key for song in songs]
    assert not {song.key for song in training} & {song.key for song in validation}
    assert training
    assert validation


@given(collections, seeds, st.randoms())
def test_the_split_heeds_the_seed_and_not_the_order(songs, seed, random):
    shuffled = random.sample(songs, len(songs))

    assert split(songs, 0.3, seed) == split(shuffled, 0.3, seed)


@given(collections, seeds, st.integers(1, 12), st.integers(2, 60))
def test_no_second_of_a_song_is_on_both_sides_and_no_segment_leaves_its_song(songs, seed, per_song, most):
    recipe = Recipe(seed=seed, pairs_per_song=per_song, max_pairs=most, validation=0.2)
    if sum(song.length >= 32 * RATE for song in songs) < 2:
        with pytest.raises(TrainingError, match="songs last 32 s or more"):
            corpus(songs, recipe)
        return

    made = corpus(songs, recipe)

    for side in (made.training, made.validation):
        assert side
        assert len(set(side)) == len(side)
        assert all(pair.start >= 0 and pair.start + 2 * pair.length <= pair.song.length for pair in side)
        assert max(sum(pair.song == song for pair in side) for song in songs) <= per_song
    assert not {pair.song for pair in made.training} & {pair.song for pair in made.validation}
    assert len(made.training) + len(made.validation) <= max(most, 2)


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 4), seeds, st.integers(0, 500))
def test_an_epoch_shows_every_pair_and_all_processes_take_as_many_steps(count, size, world, seed, epoch):
    shares = [
        list(batches(count, size, seed=seed, epoch=epoch, rank=rank, world=world)) for rank in range(world)
    ]

    every = [index for share in shares for batch in share for index in batch]

    assert set(every) == set(range(count))
    assert len({len(share) for share in shares}) == 1
    assert {len(batch) for share in shares for batch in share} == {size}
    assert len(every) < count + size * world


def test_each_epoch_has_an_order_of_its_own():
    orders = [list(batches(50, 50, seed=1, epoch=epoch, rank=0, world=1)) for epoch in (0, 1, 0)]

    assert orders[0] == orders[2] != orders[1]
    assert partners(50, seed=1, epoch=0) == partners(50, seed=1, epoch=0) != partners(50, seed=1, epoch=1)


def test_pairs_are_spread_over_the_song():
    songs = [Song("a", Path("a"), 100 * RATE), Song("b", Path("b"), 100 * RATE)]

    made = corpus(songs, Recipe(seconds=10, pairs_per_song=3))

    assert [pair.start // RATE for pair in made.training] == [0, 40, 80]


def _wav(samples: np.ndarray, rate: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(samples.shape[0])
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes((samples.T * 32767).astype("<i2").tobytes())
    return file.getvalue()


def test_a_song_becomes_24_kilohertz_mono_the_mean_of_its_channels(tmp_path: Path) -> None:
    time = np.arange(44_100) / 44_100
    stereo = np.stack([0.5 * np.sin(2 * np.pi * 440 * time), np.zeros(44_100)])
    (tmp_path / "a.wav").write_bytes(_wav(stereo, 44_100))

    samples = decode(tmp_path / "a.wav").astype(float) / 32768

    assert samples.size == pytest.approx(RATE, abs=2)
    spectrum = np.abs(np.fft.rfft(samples[:RATE] * np.hanning(min(RATE, samples.size))))
    assert spectrum.argmax() == pytest.approx(440, abs=1)
    assert np.abs(samples).max() == pytest.approx(0.25, abs=0.01)


def test_a_copy_and_a_broken_song_are_left_out_and_said(tmp_path: Path) -> None:
    sound = _wav(0.1 * np.ones((1, RATE)), RATE)
    (tmp_path / "a.wav").write_bytes(sound)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "copy.WAV").write_bytes(sound)
    (tmp_path / "broken.mp3").write_bytes(b"no song" * 100)
    (tmp_path / "cover.jpg").write_bytes(b"no song")
    told: list[str] = []

    songs = list(decoded(find(tmp_path), tmp_path / "cache", told.append))

    assert [song.length for song in songs] == [RATE]
    assert len(told) == 2
    assert any("broken.mp3 cannot be decoded" in each for each in told)
    assert any("copy.WAV is the same as" in each for each in told)


@pytest.mark.parametrize(("kind", "codec"), [("mp3", "libmp3lame"), ("m4a", "aac")])
def test_a_song_in_another_format_is_a_copy_and_another_song_none(
    tmp_path: Path, kind: str, codec: str
) -> None:
    for seed, genre in enumerate(("jazz", "folk", "jazz")):
        (tmp_path / f"{genre}{seed}.wav").write_bytes(to_wav(perform(plan(genre, seed), 24.0)))
    _encode(tmp_path / "jazz0.wav", tmp_path / f"jazz0.{kind}", codec)
    told: list[str] = []

    songs = list(decoded(find(tmp_path), tmp_path / "cache", told.append))

    assert len(songs) == 3
    assert told == [f"{tmp_path}/jazz0.wav sounds the same as {tmp_path}/jazz0.{kind}; left out"]


def _encode(source: Path, target: Path, codec: str) -> None:
    with av.open(str(source)) as file, av.open(str(target), "w") as coded:
        stream: Any = coded.add_stream(codec, rate=44_100)
        stream.layout, stream.bit_rate = "stereo", 96_000
        resampler = AudioResampler(format="fltp", layout="stereo", rate=44_100)
        for frame in file.decode(audio=0):
            for each in resampler.resample(frame):
                coded.mux(stream.encode(each))
        coded.mux(stream.encode(None))


def test_a_song_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.wav").write_bytes(_wav(0.1 * np.ones((1, RATE)), RATE))
    first = list(decoded(find(tmp_path), tmp_path / "cache", print))

    monkeypatch.setattr("model_container.training.songs.decode", None)

    assert list(decoded(find(tmp_path), tmp_path / "cache", print)) == first
