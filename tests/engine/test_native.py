"""The native decoder computes what the definition says, on every kernel, whoever shares its batch."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_container.engine.decoder import Decoder, DecoderWeights, FloatArray
from model_container.engine.native import NativeDecoder, NativeError, kernels
from model_container.native import build
from model_container.native.pack import Format, PackError, pack
from tests.engine.reference_decoder import RandomWeights, ReferenceDecoder, tiny_config

pytestmark = pytest.mark.skipif(build.library() is None, reason="no C++ compiler here")

Open = Callable[..., NativeDecoder]
TOLERANCE = {Format.FP32: 1e-4, Format.BF16: 0.015, Format.INT8: 0.03, Format.INT4: 0.35}
EVERY_FORMAT = pytest.mark.parametrize("format", list(Format), ids=[format.name.lower() for format in Format])
EVERY_KERNEL = pytest.mark.parametrize("kernel", kernels())


@pytest.fixture
def open_native(tmp_path: Path) -> Open:
    def open_native(
        weights: DecoderWeights, format: Format = Format.INT8, group: int = 32, **options: Any
    ) -> NativeDecoder:
        file = tmp_path / f"{format.name}-{group}.cadenza"
        if not file.exists():
            pack(weights, file, format, group)
        return NativeDecoder(file, weights.config, **({"slots": 3, "positions": 80, "threads": 1} | options))

    return open_native


class Play:
    """Songs stepped together on one decoder, with inputs that depend on the song and the position alone."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder, self.hidden = decoder, decoder.config.hidden

    def text(self, song: int) -> FloatArray:
        tokens = 0 if self.decoder.config.melody else 3 + song
        return np.random.default_rng((song, 7)).standard_normal((tokens, self.hidden), np.float32)

    def input(self, song: int, position: int) -> FloatArray:
        return np.random.default_rng((song, position, 8)).standard_normal(self.hidden, np.float32)

    def admit(self, *songs: int) -> None:
        for song in songs:
            self.decoder.admit(song, self.text(song))

    def step(self, *places: tuple[int, int]) -> FloatArray:
        """places: (song, position); a song lives in the slot of its number."""
        songs, positions = np.array(places, np.int64).T
        hidden = np.stack([self.input(song, position) for song, position in places])
        guidance = np.array([2.0 + song / 2 for song in songs], np.float32)
        return self.decoder.step(songs, hidden, positions, guidance)

    def alone(self, song: int, count: int) -> list[FloatArray]:
        self.admit(song)
        return [self.step((song, position))[0] for position in range(count)]


def relative_rms(values: list[FloatArray], reference: list[FloatArray]) -> float:
    return float(np.sqrt(np.square(np.array(values) - reference).mean() / np.array(reference).var()))


@EVERY_KERNEL
@EVERY_FORMAT
def test_logits_are_those_of_the_definition(open_native, format, kernel):
    weights = RandomWeights(tiny_config(hidden=128, heads=2, ffn=512, layers=3))
    reference = Play(ReferenceDecoder(weights)).alone(1, 40)

    logits = Play(open_native(weights, format, kernels=kernel)).alone(1, 40)

    assert relative_rms(logits, reference) < TOLERANCE[format]
    if format is Format.FP32:
        assert np.abs(np.array(logits) - reference).max() < 1e-4


@EVERY_FORMAT
@pytest.mark.parametrize("kernel", kernels()[:-1])
def test_every_kernel_gives_the_bits_of_the_portable_one(open_native, format, kernel):
    weights = RandomWeights(tiny_config(hidden=96, heads=4, ffn=160))
    portable = Play(open_native(weights, format, kernels="portable")).alone(2, 70)

    logits = Play(open_native(weights, format, kernels=kernel)).alone(2, 70)

    assert np.array_equal(logits, portable)


@pytest.mark.parametrize("group", [16, 32, 64, 128])
@pytest.mark.parametrize("heads", [2, 4, 8, 16])
def test_groups_and_heads_of_any_size_agree_with_the_definition(open_native, group, heads):
    weights = RandomWeights(tiny_config(hidden=128, heads=heads, ffn=256))
    reference = Play(ReferenceDecoder(weights)).alone(0, 20)

    logits = Play(open_native(weights, group=group)).alone(0, 20)

    assert relative_rms(logits, reference) < 0.035


@EVERY_KERNEL
@EVERY_FORMAT
def test_a_song_has_the_same_bits_alone_and_beside_others_that_come_and_go(open_native, format, kernel):
    weights = RandomWeights(tiny_config())
    alone = Play(open_native(weights, format, kernels=kernel)).alone(1, 12)

    band = Play(open_native(weights, format, kernels=kernel, threads=2, slots=8))
    band.admit(*range(8))
    together = [band.step((1, 0))[0]]
    together += [band.step((0, p - 1), (1, p))[1] for p in range(1, 4)]
    together += [band.step((5, p - 4), (2, p - 4), (1, p), (7, p - 4))[2] for p in range(4, 9)]
    band.decoder.release(5)
    together += [band.step((1, p), *((s, p - 9) for s in (0, 3, 4, 6)))[0] for p in range(9, 12)]

    assert np.array_equal(together, alone)


@pytest.mark.parametrize("melody", [False, True])
@EVERY_FORMAT
def test_a_prefill_leaves_the_bits_of_as_many_steps(open_native, format, melody):
    weights = RandomWeights(tiny_config(melody=melody))
    stepped = Play(open_native(weights, format)).alone(1, 50)

    filled = Play(open_native(weights, format))
    filled.admit(1)
    inputs = np.stack([filled.input(1, position) for position in range(49)])
    filled.decoder.prefill(1, np.stack([inputs[:7]] * 2), 0)
    filled.decoder.prefill(1, np.stack([inputs[7:]] * 2), 7)

    assert np.array_equal(filled.step((1, 49))[0], stepped[49])


def test_halves_of_a_prefill_are_conditional_and_unconditional(open_native):
    weights = RandomWeights(tiny_config(melody=True))
    prefix = np.random.default_rng(3).standard_normal((2, 9, 64), np.float32)
    reference, native = ReferenceDecoder(weights), open_native(weights, Format.FP32)
    logits = []

    for decoder in (reference, native):
        decoder.admit(0, np.zeros((0, 64), np.float32))
        decoder.prefill(0, prefix, 0)
        logits.append(Play(decoder).step((0, 9)))

    assert np.abs(logits[0] - logits[1]).max() < 1e-4


def test_a_text_of_no_tokens_is_no_text(open_native):
    weights = RandomWeights(tiny_config())
    reference, native = ReferenceDecoder(weights), open_native(weights, Format.FP32)
    logits = []

    for decoder in (reference, native):
        decoder.admit(2, np.zeros((0, 64), np.float32))
        logits.append(Play(decoder).step((2, 0)))

    assert np.abs(logits[0] - logits[1]).max() < 1e-4


def test_a_long_text_is_attended_to_whole(open_native):
    weights = RandomWeights(tiny_config(), spread=0.2)
    text = np.random.default_rng(5).standard_normal((150, 64), np.float32)
    reference, native = ReferenceDecoder(weights), open_native(weights, Format.FP32)
    logits = []

    for decoder in (reference, native):
        decoder.admit(0, text)
        logits.append(Play(decoder).step((0, 0)))

    assert np.abs(logits[0] - logits[1]).max() < 1e-3 * np.abs(logits[0]).max()


def test_a_slot_forgets_the_song_before(open_native):
    weights = RandomWeights(tiny_config())
    fresh = Play(open_native(weights)).alone(1, 5)
    used = Play(open_native(weights))
    used.alone(1, 30)
    used.decoder.release(1)

    again = used.alone(1, 5)

    assert np.array_equal(again, fresh)


def test_a_step_can_be_taken_again(open_native):
    play = Play(open_native(RandomWeights(tiny_config())))
    logits = play.alone(0, 10)

    assert np.array_equal(play.step((0, 4))[0], logits[4])


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
def test_what_cannot_be_computed_is_refused_and_changes_nothing(open_native, places, message):
    play = Play(open_native(RandomWeights(tiny_config())))
    play.admit(0)
    songs, positions = np.array(places, np.int64).T
    hidden, guidance = np.ones((len(places), 64), np.float32), np.ones(len(places), np.float32)

    with pytest.raises(NativeError, match=message):
        play.decoder.step(songs, hidden, positions, guidance)

    assert play.step((0, 0)).shape == (1, 4, 40)


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(open_native, poison):
    decoder = open_native(RandomWeights(tiny_config()))
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


@EVERY_FORMAT
def test_an_overflow_on_the_way_is_reported_and_not_played(open_native, format):
    decoder = open_native(RandomWeights(tiny_config()), format)
    decoder.admit(0, np.zeros((0, 64), np.float32))
    zero, one = np.zeros(1, np.int64), np.ones(1, np.float32)
    hidden = np.where(np.arange(64) % 2, 3e38, -3e38).astype(np.float32)[None]

    with pytest.raises(NativeError, match="NaN"):
        decoder.step(zero, hidden, zero, one)


def test_a_damaged_file_is_refused(open_native, tmp_path):
    weights = RandomWeights(tiny_config())
    open_native(weights)
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


def test_another_models_file_is_refused(open_native, tmp_path):
    open_native(RandomWeights(tiny_config()))

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


def test_no_more_threads_run_than_the_quota_has_cpus(open_native):
    decoder = open_native(RandomWeights(tiny_config()), threads=64)

    assert decoder.threads <= len(os.sched_getaffinity(0))


def test_unknown_kernels_are_refused(open_native):
    with pytest.raises(NativeError, match="kernels"):
        open_native(RandomWeights(tiny_config()), kernels="sse9")
