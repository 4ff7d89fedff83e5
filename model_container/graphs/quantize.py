"""A linear layer in a graph, in full precision or with 8-bit weights.

Knows how weights are rounded. Must not know any model.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from model_container.graphs.builder import MICROSOFT, GraphBuilder

FloatArray = NDArray[np.float32]
Linear = Callable[[GraphBuilder, str, FloatArray], str]

BLOCK = 32  # values that share a scale
INT8_ACTIVATIONS = 4  # MatMulNBits' accuracy level: inputs are rounded to 8 bits too, per row and block


def float32(graph: GraphBuilder, value: str, weight: FloatArray) -> str:
    """value @ weight.T, weight [outputs, inputs]."""
    return graph.node("MatMul", value, graph.constant(weight.T))


def int8(graph: GraphBuilder, value: str, weight: FloatArray) -> str:
    """value @ weight.T with weights rounded to 8 bits in blocks, and inputs rounded row by row.

    Not DynamicQuantizeMatMul, which is as fast: it takes one scale for all rows of its input, so that a song
    would hear its neighbours in the batch.
    """
    outputs, inputs = weight.shape
    if inputs % BLOCK:
        raise ValueError(f"{inputs} inputs are not a multiple of {BLOCK}")
    codes, scales = quantize(weight)
    return graph.node(
        "MatMulNBits",
        value,
        graph.constant(codes),
        graph.constant(scales),
        domain=MICROSOFT,
        K=inputs,
        N=outputs,
        bits=8,
        block_size=BLOCK,
        accuracy_level=INT8_ACTIVATIONS,
    )


def quantize(weight: FloatArray) -> tuple[NDArray[np.uint8], FloatArray]:
    """[outputs, inputs] → codes [outputs, blocks, BLOCK] around 128 and scales [outputs, blocks]."""
    blocks = weight.reshape(weight.shape[0], -1, BLOCK)
    scales = np.abs(blocks).max(axis=-1) / np.float32(127)
    codes = np.rint(blocks / np.where(scales == 0, np.float32(1), scales)[..., None]) + np.float32(128)
    return codes.astype(np.uint8), scales
