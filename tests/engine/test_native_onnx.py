"""The two decoders are one model: the native one beside the ONNX graph, over the same checkpoint."""

from pathlib import Path

import numpy as np
import pytest

from model_container.engine.checkpoint import Checkpoint
from model_container.engine.config import load_config
from model_container.engine.decoder import Decoder, FloatArray
from model_container.engine.native import NativeDecoder
from model_container.engine.onnx_decoder import OnnxDecoder
from model_container.engine.weights import CheckpointWeights
from model_container.native import build
from model_container.native.pack import Format, pack
from tests.engine import tiny

pytestmark = pytest.mark.skipif(build.shared_object() is None, reason="no C++ compiler here")


def native(folder: Path, checkpoint: Path, format: Format) -> NativeDecoder:
    config = load_config(checkpoint).decoder
    file = folder / format.name
    pack(CheckpointWeights(Checkpoint(checkpoint), config), file, format)
    return NativeDecoder(file, config, slots=2, positions=96)


def play(decoder: Decoder) -> FloatArray:
    """A melody's prefix or a text, an audio prompt, and 40 steps beside another song."""
    draw = np.random.default_rng(4)
    hidden = decoder.config.hidden
    text = draw.standard_normal((0 if decoder.config.melody else 6, hidden), np.float32)
    prompt = draw.standard_normal((2, 20, hidden), np.float32)
    inputs = draw.standard_normal((40, 2, hidden), np.float32)
    decoder.admit(0, text[:4])
    decoder.admit(1, text)
    decoder.prefill(1, prompt, 0)
    slots, guidance = np.arange(2), np.array([3, 1.5], np.float32)
    return np.stack([decoder.step(slots, x, np.array([i, 20 + i]), guidance) for i, x in enumerate(inputs)])


# The tiny checkpoint's weights are several times a trained model's, which sharpens attention; with those of
# test_native.py, of a trained model's size, 8 bits stay within 3 %.
@pytest.mark.parametrize(
    ("format", "limit"), [(Format.FP32, 1e-5), (Format.BF16, 0.015), (Format.INT8, 0.04)]
)
@pytest.mark.parametrize("kind", tiny.KINDS)
def test_the_native_decoder_computes_what_the_graph_computes(
    kind, format, limit, checkpoints, packs, tmp_path
):
    config = load_config(checkpoints(kind)).decoder
    expected = play(OnnxDecoder(packs(kind, "fp32"), config, slots=2, positions=96, threads=1))

    logits = play(native(tmp_path, checkpoints(kind), format))

    assert np.sqrt(np.square(logits - expected).mean() / expected.var()) < limit
    if format is Format.FP32:
        np.testing.assert_allclose(logits, expected, atol=1e-4)
