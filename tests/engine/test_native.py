"""The native decoder computes what the definition says, on every kernel, whoever shares its batch."""

import numpy as np
import pytest

from model_container.engine.native import kernels
from model_container.native import build
from model_container.native.pack import Format
from tests.engine.native_play import Play, open_native, relative_rms
from tests.engine.reference_decoder import RandomWeights, ReferenceDecoder, tiny_config

pytestmark = pytest.mark.skipif(build.shared_object() is None, reason="no C++ compiler here")

TOLERANCE = {Format.FP32: 1e-4, Format.BF16: 0.015, Format.INT8: 0.03, Format.INT4: 0.35}
EVERY_FORMAT = pytest.mark.parametrize("format", list(Format), ids=[format.name.lower() for format in Format])
EVERY_KERNEL = pytest.mark.parametrize("kernel", kernels())


@EVERY_KERNEL
@EVERY_FORMAT
def test_logits_are_those_of_the_definition(tmp_path, format, kernel):
    weights = RandomWeights(tiny_config(hidden=128, heads=2, ffn=512, layers=3))
    reference = Play(ReferenceDecoder(weights)).alone(1, 40)

    logits = Play(open_native(tmp_path, weights, format, kernels=kernel)).alone(1, 40)

    assert relative_rms(logits, reference) < TOLERANCE[format]
    if format is Format.FP32:
        assert np.abs(np.array(logits) - reference).max() < 1e-4


@EVERY_FORMAT
@pytest.mark.parametrize("kernel", kernels()[:-1])
def test_every_kernel_gives_the_bits_of_the_portable_one(tmp_path, format, kernel):
    weights = RandomWeights(tiny_config(hidden=96, heads=4, ffn=160))
    portable = Play(open_native(tmp_path, weights, format, kernels="portable")).alone(2, 70)

    logits = Play(open_native(tmp_path, weights, format, kernels=kernel)).alone(2, 70)

    assert np.array_equal(logits, portable)


@pytest.mark.parametrize("group", [16, 32, 64, 128])
@pytest.mark.parametrize("heads", [2, 4, 8, 16])
def test_groups_and_heads_of_any_size_agree_with_the_definition(tmp_path, group, heads):
    weights = RandomWeights(tiny_config(hidden=128, heads=heads, ffn=256))
    reference = Play(ReferenceDecoder(weights)).alone(0, 20)

    logits = Play(open_native(tmp_path, weights, group=group)).alone(0, 20)

    assert relative_rms(logits, reference) < 0.035


@EVERY_KERNEL
@EVERY_FORMAT
def test_a_song_has_the_same_bits_alone_and_beside_others_that_come_and_go(tmp_path, format, kernel):
    weights = RandomWeights(tiny_config())
    alone = Play(open_native(tmp_path, weights, format, kernels=kernel)).alone(1, 12)

    band = Play(open_native(tmp_path, weights, format, kernels=kernel, threads=2, slots=8))
    band.admit(*range(8))
    together = [band.step((1, 0))[0]]
    together += [band.step((0, p - 1), (1, p))[1] for p in range(1, 4)]
    together += [band.step((5, p - 4), (2, p - 4), (1, p), (7, p - 4))[2] for p in range(4, 9)]
    band.decoder.release(5)
    together += [band.step((1, p), *((s, p - 9) for s in (0, 3, 4, 6)))[0] for p in range(9, 12)]

    assert np.array_equal(together, alone)


@pytest.mark.parametrize("melody", [False, True])
@EVERY_FORMAT
def test_a_prefill_leaves_the_bits_of_as_many_steps(tmp_path, format, melody):
    weights = RandomWeights(tiny_config(melody=melody))
    stepped = Play(open_native(tmp_path, weights, format)).alone(1, 50)

    filled = Play(open_native(tmp_path, weights, format))
    filled.admit(1)
    inputs = np.stack([filled.input(1, position) for position in range(49)])
    filled.decoder.prefill(1, np.stack([inputs[:7]] * 2), 0)
    filled.decoder.prefill(1, np.stack([inputs[7:]] * 2), 7)

    assert np.array_equal(filled.step((1, 49))[0], stepped[49])


def test_halves_of_a_prefill_are_conditional_and_unconditional(tmp_path):
    weights = RandomWeights(tiny_config(melody=True))
    prefix = np.random.default_rng(3).standard_normal((2, 9, 64), np.float32)
    reference, native = ReferenceDecoder(weights), open_native(tmp_path, weights, Format.FP32)
    logits = []

    for decoder in (reference, native):
        decoder.admit(0, np.zeros((0, 64), np.float32))
        decoder.prefill(0, prefix, 0)
        logits.append(Play(decoder).step((0, 9)))

    assert np.abs(logits[0] - logits[1]).max() < 1e-4


def test_a_text_of_no_tokens_is_no_text(tmp_path):
    weights = RandomWeights(tiny_config())
    reference, native = ReferenceDecoder(weights), open_native(tmp_path, weights, Format.FP32)
    logits = []

    for decoder in (reference, native):
        decoder.admit(2, np.zeros((0, 64), np.float32))
        logits.append(Play(decoder).step((2, 0)))

    assert np.abs(logits[0] - logits[1]).max() < 1e-4


def test_a_long_text_is_attended_to_whole(tmp_path):
    weights = RandomWeights(tiny_config(), spread=0.2)
    text = np.random.default_rng(5).standard_normal((150, 64), np.float32)
    reference, native = ReferenceDecoder(weights), open_native(tmp_path, weights, Format.FP32)
    logits = []

    for decoder in (reference, native):
        decoder.admit(0, text)
        logits.append(Play(decoder).step((0, 0)))

    assert np.abs(logits[0] - logits[1]).max() < 1e-3 * np.abs(logits[0]).max()


def test_a_slot_forgets_the_song_before(tmp_path):
    weights = RandomWeights(tiny_config())
    fresh = Play(open_native(tmp_path, weights)).alone(1, 5)
    used = Play(open_native(tmp_path, weights))
    used.alone(1, 30)
    used.decoder.release(1)

    again = used.alone(1, 5)

    assert np.array_equal(again, fresh)


def test_a_step_can_be_taken_again(tmp_path):
    play = Play(open_native(tmp_path, RandomWeights(tiny_config())))
    logits = play.alone(0, 10)

    assert np.array_equal(play.step((0, 4))[0], logits[4])
