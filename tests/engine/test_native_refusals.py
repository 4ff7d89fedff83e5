"""What the native decoder refuses: calls, values, files and weights that it cannot compute with."""

import os

import numpy as np
import pytest

from model_container.engine import native
from model_container.engine.decoder import FloatArray
from model_container.engine.native import NativeDecoder, NativeError, kernels
from model_container.native import build
from model_container.native.pack import Format, PackError, pack
from tests.engine.native_play import Play, open_native
from tests.engine.reference_decoder import RandomWeights, tiny_config

pytestmark = pytest.mark.skipif(build.shared_object() is None, reason="no C++ compiler here")


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ([(3, 0)], "out of range"),
        ([(-1, 0)], "out of range"),
        ([(0, 0), (0, 0)], "out of range"),
        ([(0, -1)], "out of range"),
        ([(0, 96)], "out of range"),
        ([(0, 1)], "never computed"),
        ([(1, 0)], "holds no song"),
    ],
)
def test_what_cannot_be_computed_is_refused_and_changes_nothing(tmp_path, places, message):
    play = Play(open_native(tmp_path, RandomWeights(tiny_config())))
    play.admit(0)
    songs, positions = np.array(places, np.int64).T
    hidden, guidance = np.ones((len(places), 64), np.float32), np.ones(len(places), np.float32)

    with pytest.raises(NativeError, match=message):
        play.decoder.step(songs, hidden, positions, guidance)

    assert play.step((0, 0)).shape == (1, 4, 40)


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(tmp_path, poison):
    decoder = open_native(tmp_path, RandomWeights(tiny_config()))
    hidden = np.ones((1, 64), np.float32)
    hidden[0, 63] = poison
    zero, one = np.zeros(1, np.int64), np.ones(1, np.float32)

    with pytest.raises(NativeError, match="NaN"):
        decoder.admit(0, hidden)
    decoder.admit(0, np.ones((1, 64), np.float32))
    with pytest.raises(NativeError, match="NaN"):
        decoder.step(zero, hidden, zero, one)
    with pytest.raises(NativeError, match="NaN"):
        decoder.prefill(0, np.stack([hidden] * 2), 0)


@pytest.mark.parametrize("format", list(Format), ids=[format.name.lower() for format in Format])
def test_an_overflow_on_the_way_is_reported_and_not_played(tmp_path, format):
    decoder = open_native(tmp_path, RandomWeights(tiny_config()), format)
    decoder.admit(0, np.zeros((0, 64), np.float32))
    zero, one = np.zeros(1, np.int64), np.ones(1, np.float32)
    hidden = np.where(np.arange(64) % 2, 3e38, -3e38).astype(np.float32)[None]

    with pytest.raises(NativeError, match="NaN"):
        decoder.step(zero, hidden, zero, one)


def test_a_damaged_file_is_refused(tmp_path):
    weights = RandomWeights(tiny_config())
    open_native(tmp_path, weights)
    whole = (tmp_path / "INT8-32.cadenza").read_bytes()
    damages = [
        b"",
        whole[:100],
        whole[:-64],
        whole + bytes(64),
        b"X" + whole[1:],
        whole[:8] + b"\x02" + whole[9:],
    ]
    damages += [whole[:offset] + b"\xff\xff\xff\x7f" + whole[offset + 4 :] for offset in range(8, 48, 4)]

    for damage in damages:
        file = tmp_path / "damaged.cadenza"
        file.write_bytes(damage)
        with pytest.raises(NativeError, match=r"damaged|cannot be opened"):
            NativeDecoder(file, weights.config, slots=1, positions=10)


def test_another_models_file_is_refused(tmp_path):
    open_native(tmp_path, RandomWeights(tiny_config()))

    with pytest.raises(NativeError, match="layers"):
        NativeDecoder(tmp_path / "INT8-32.cadenza", tiny_config(layers=3), slots=1, positions=10)
    with pytest.raises(NativeError, match="another kind"):
        NativeDecoder(tmp_path / "INT8-32.cadenza", tiny_config(melody=True), slots=1, positions=10)


def test_weights_that_kernels_do_not_cover_are_not_packed(tmp_path):
    class Poisoned(RandomWeights):
        def heads(self) -> FloatArray:
            return super().heads() * np.float32(np.nan)

    with pytest.raises(PackError, match="groups of 48"):
        pack(RandomWeights(tiny_config()), tmp_path / "file", group=48)
    with pytest.raises(PackError, match="heads of 256"):
        pack(RandomWeights(tiny_config(hidden=256, heads=1)), tmp_path / "file")
    with pytest.raises(PackError, match="NaN"):
        pack(Poisoned(tiny_config()), tmp_path / "file")
    assert not (tmp_path / "file").exists()


def test_no_more_threads_run_than_the_quota_has_cpus(tmp_path):
    decoder = open_native(tmp_path, RandomWeights(tiny_config()), threads=64)

    assert decoder.threads <= len(os.sched_getaffinity(0))


def test_unknown_kernels_are_refused(tmp_path):
    with pytest.raises(NativeError, match="kernels"):
        open_native(tmp_path, RandomWeights(tiny_config()), kernels="sse9")


def test_where_the_compiler_fails_there_is_a_warning_and_no_native_decoder(monkeypatch, caplog):
    def fail() -> None:
        raise build.CompilerError("this compiler is of another century")

    monkeypatch.setattr(build, "shared_object", fail)
    native._library.cache_clear()
    try:
        assert kernels() == []
        assert "another century" in caplog.text
    finally:
        native._library.cache_clear()
