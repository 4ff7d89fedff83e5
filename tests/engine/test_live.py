"""The engine's thread: songs for several listeners, in the order and to the end that was promised."""

import io
import threading
import time
import wave
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from model_container.engine import wav
from model_container.engine.live import Engine, FailedError
from model_container.engine.model import Model
from model_container.engine.places import ClosedError, FullError
from model_container.engine.sampling import Sampling
from model_container.engine.song import Request
from tests.engine.conftest import Folders


def request(seed: int, frames: int = 60) -> Request:
    return Request("x", frames, Sampling(seed=seed))


def test_many_listeners_hear_their_own_songs(packs: Folders) -> None:
    with Engine(Model.load(packs("text"))) as engine:
        expected = [np.concatenate(list(engine.play(request(seed))), axis=1) for seed in range(5)]

    with Engine(Model.load(packs("text"), slots=3)) as engine, ThreadPoolExecutor(5) as people:
        songs = list(people.map(lambda seed: list(engine.play(request(seed))), range(5)))

    for song, sound in zip(songs, expected, strict=True):
        np.testing.assert_array_equal(np.concatenate(song, axis=1), sound)


def test_a_listener_who_never_reads_holds_nobody(packs: Folders) -> None:
    with Engine(Model.load(packs("text"), slots=1)) as engine:
        silent = engine.play(request(0, frames=300))
        heard = list(engine.play(request(1)))

        assert sum(piece.shape[1] for piece in heard) == 60 * 640
        assert silent.made == 300


def test_a_stopped_song_ends_for_its_listener_and_frees_the_engine(packs: Folders) -> None:
    with Engine(Model.load(packs("text"))) as engine:
        endless = engine.play(request(0, frames=15_000))
        listening = threading.Thread(target=lambda: list(endless))
        listening.start()

        endless.stop()
        listening.join(timeout=30)
        sound = np.concatenate(list(engine.play(request(1))), axis=1)

    assert not listening.is_alive()
    assert endless.made < 15_000
    assert sound.shape == (1, 60 * 640)


def test_a_full_engine_says_so_and_takes_songs_again_later(packs: Folders) -> None:
    with Engine(Model.load(packs("text")), queue_size=1) as engine:
        songs = [engine.play(request(seed, frames=2000)) for seed in range(2)]

        with pytest.raises(FullError):
            engine.play(request(2))
        for song in songs:
            song.stop()
        assert len(list(engine.play(request(3)))) > 0


def test_a_song_that_is_made_and_not_heard_counts(packs: Folders) -> None:
    with Engine(Model.load(packs("text")), queue_size=0) as engine:
        song = engine.play(request(0))
        while song.made < 60 or engine.stats().running:
            time.sleep(0.01)

        with pytest.raises(FullError):
            engine.play(request(1))
        heard = sum(piece.shape[1] for piece in song)
        again = sum(piece.shape[1] for piece in engine.play(request(1)))

    assert heard == again == 60 * 640


def test_songs_that_were_taken_are_finished_when_the_engine_closes(packs: Folders) -> None:
    with Engine(Model.load(packs("text"))) as engine:
        songs = [engine.play(request(seed)) for seed in range(3)]
        engine.close()
        with pytest.raises(ClosedError):
            engine.play(request(3))

    assert [sum(piece.shape[1] for piece in song) for song in songs] == [60 * 640] * 3


def test_a_request_that_cannot_be_is_refused_at_once(packs: Folders) -> None:
    with (
        Engine(Model.load(packs("text"))) as engine,
        pytest.raises(ValueError, match="no melody"),
    ):
        engine.play(Request("x", 60, melody=np.zeros(32_000, np.float32)))


def test_numbers_of_what_goes_on(packs: Folders) -> None:
    with Engine(Model.load(packs("text"))) as engine:
        list(engine.play(request(0)))
        stats = engine.stats()

    assert (stats.waiting, stats.running, stats.rounds, stats.columns) == (0, 0, 63, 63)
    assert stats.music_seconds == 63 / 50
    assert stats.busy_seconds > 0


def test_a_break_of_the_thread_reaches_every_listener(
    packs: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Engine(Model.load(packs("text"))) as engine:
        monkeypatch.setattr(engine._batch, "advance", lambda: 1 / 0)

        with pytest.raises(FailedError) as told:
            list(engine.play(request(0)))
        assert isinstance(told.value.__cause__, ZeroDivisionError)
        with pytest.raises(ClosedError):
            engine.play(request(1))


@pytest.mark.parametrize("channels", [1, 2])
def test_the_header_written_first_fits_the_samples_written_later(channels: int) -> None:
    sound = np.array([[0.0, 0.5, -1.0, 3.0], [-3.0, 1.0, 0.25, 0.0]], np.float32)[:channels]
    data = wav.header(4, channels, 32000) + wav.pcm(sound[:, :1]) + wav.pcm(sound[:, 1:])

    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (channels, 32000, 2)
        samples = np.frombuffer(file.readframes(10), "<i2").reshape(-1, channels).T

    np.testing.assert_allclose(samples / 32767, np.clip(sound, -1, 1), atol=1e-4)
