"""Requests, windows and seams."""

import weakref

import numpy as np
import pytest

from model_container.engine.batch import Batch
from model_container.engine.model import Model
from model_container.engine.sampling import Sampling
from model_container.engine.song import Request, Song
from model_container.engine.windows import Span, Windows
from tests.engine.conftest import Folders
from tests.engine.test_batch import Ear, play


def test_windows_overlap_by_what_the_stride_leaves() -> None:
    windows = Windows()

    assert windows.next(0, 500) == Span(0, 0, 500)
    assert windows.next(0, 3000) == Span(0, 0, 1500)
    assert windows.next(1500, 3000) == Span(900, 1500, 2400)
    assert windows.next(2400, 3000) == Span(1800, 2400, 3000)


def test_a_recording_is_the_first_windows_prompt() -> None:
    windows = Windows()

    assert windows.next(700, 1400) == Span(0, 700, 1400)
    assert windows.next(300, 3000) == Span(0, 300, 1500)
    assert windows.next(1000, 3000) == Span(400, 1000, 1900)


@pytest.mark.parametrize("total", [4, 1500, 1501, 2999, 15_000])
@pytest.mark.parametrize("done", [0, 3, 601, 1499])
def test_windows_cover_every_frame_once_and_none_is_too_long(done: int, total: int) -> None:
    windows = Windows()
    made = done

    while made < total:
        span = windows.next(made, total)
        assert span.given == made
        assert span.start <= made < span.stop <= min(total, span.start + windows.length)
        made = span.stop

    assert made == max(done, total)


def test_a_recording_is_not_held_for_as_long_as_its_song_is_made(packs: Folders) -> None:
    recording = np.zeros((1, 640 * 11), np.float32)
    held = weakref.ref(recording)

    song = Song(Model.load(packs("text")), Request("x", 60, recording=recording), Windows())
    del recording

    assert song.made == 11
    assert held() is None


def make(model: Model, asked: Request, windows: Windows) -> Ear:
    batch, ear = Batch(model), Ear()
    batch.join(Song(model, asked, windows), ear)
    play(batch)
    return ear


def test_a_piece_of_many_windows_has_no_seam(packs: Folders) -> None:
    model = Model.load(packs("text"))
    windows = Windows(length=40, stride=24)

    sound = make(model, Request("long", 600, Sampling(seed=4)), windows).sound[0]
    seams = [640 * frame for frame in range(40, 600, 24)]
    jumps = np.abs(np.diff(sound))

    assert len(seams) > 20
    around = np.concatenate([jumps[seam - 320 : seam + 320] for seam in seams])
    assert np.isclose(around.mean(), jumps.mean(), rtol=0.15)
    assert np.isclose(np.quantile(around, 0.99), np.quantile(jumps, 0.99), rtol=0.25)


def test_windows_change_nothing_before_the_first_one_ends(packs: Folders) -> None:
    model = Model.load(packs("text"))
    asked = Request("the same", 100, Sampling(seed=9))

    whole, cut = (
        make(model, asked, Windows(length, stride)).sound for length, stride in ((200, 100), (60, 30))
    )

    same = (60 - 10) * 640
    np.testing.assert_array_equal(whole[:, :same], cut[:, :same])
    assert not np.array_equal(whole[:, same:], cut[:, same:])


def test_a_continuation_begins_with_its_recording(packs: Folders) -> None:
    model = Model.load(packs("text"))
    codes = np.random.default_rng(0).integers(0, 64, (4, 100))
    recording = model.codec.decode(codes)

    sound = make(model, Request("go on", 150, recording=recording), Windows()).sound

    again = model.codec.decode(model.codec.encode(recording))
    np.testing.assert_allclose(sound[:, : 90 * 640], again[:, : 90 * 640], atol=1e-5)


def test_mono_recordings_go_into_stereo_models(packs: Folders) -> None:
    model = Model.load(packs("stereo"))
    recording = np.random.default_rng(0).standard_normal((1, 640 * 20), np.float32)

    assert make(model, Request("wide", 30, recording=recording), Windows()).sound.shape == (2, 30 * 640)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_seed_decides(packs: Folders, seed: int) -> None:
    model = Model.load(packs("text"))

    first, again, other = (
        make(model, Request("x", 30, Sampling(seed=s)), Windows()).sound for s in (seed, seed, seed + 1)
    )

    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    "wrong",
    [{"frames": 3}, {"frames": 15_001}, {"guidance": 0.5}, {"guidance": float("nan")}],
)
def test_what_no_model_can_make_is_no_request(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"guidance|frames"):
        Request(**{"prompt": "x", "frames": 100, **wrong})  # type: ignore[arg-type]


def test_what_this_model_cannot_make_is_refused(packs: Folders) -> None:
    model = Model.load(packs("text"))
    noise = np.zeros((1, 640 * 50), np.float32)

    with pytest.raises(ValueError, match="no melody"):
        Song(model, Request("x", 100, melody=noise[0]), Windows())
    with pytest.raises(ValueError, match="nothing of 50"):
        Song(model, Request("x", 50, recording=noise), Windows())
    with pytest.raises(ValueError, match="too few"):
        Song(model, Request("x", 50, recording=noise[:, :1000]), Windows())
