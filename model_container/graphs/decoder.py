"""MusicGen's transformer as two graphs: one that decodes, and one that turns a text into keys and values.

Knows the architecture (Copet et al. 2023, arXiv:2306.05284). Must not know slots, songs or tokens.

Rows of `decoder.onnx` share the weights and nothing else: each has its own keys, values and position.
Attention reads and writes the cache in place (past and present are bound to the same memory), so no step
copies it.
"""

from pathlib import Path

import numpy as np

from model_container.engine.decoder import CrossWeights, DecoderWeights, LayerWeights, NormWeights
from model_container.graphs.builder import MICROSOFT, Dimensions, GraphBuilder
from model_container.graphs.quantize import Linear

EPSILON = 1e-5


def build_decoder(file: Path, weights: DecoderWeights, linear: Linear) -> None:
    """Write the graph that decodes.

    Inputs: hidden [rows, n, hidden]; lengths int32 [rows], the position of each row's last column; total
    int32 [1], the largest number of positions; key_i, value_i [rows, heads, positions, head]; and for models
    with cross-attention: conditional int64 [songs], the rows that see a text; mask int32 [songs, T];
    text_key_i, text_value_i [songs, heads, T, head].
    Outputs: logits [rows, codebooks * vocabulary] of each row's last column; present_key_i, present_value_i.
    """
    config = weights.config
    with GraphBuilder(file) as graph:
        hidden = graph.input("hidden", "float32", ["rows", "n", config.hidden])
        graph.input("lengths", "int32", ["rows"])
        graph.input("total", "int32", [1])
        if config.melody is None:
            graph.input("conditional", "int64", ["songs"])
            graph.input("mask", "int32", ["songs", "text"])
        for index in range(config.layers):
            layer = weights.layer(index)
            hidden = graph.add(hidden, _self_attention(graph, hidden, layer, index, config.heads, linear))
            if layer.cross is not None:
                hidden = _cross_attention(graph, hidden, layer.cross, index, config.heads, linear)
            hidden = graph.add(hidden, _feed_forward(graph, hidden, layer, linear))
        last = graph.node("Gather", hidden, graph.constant(np.array(-1)), axis=1)
        logits = linear(graph, _norm(graph, last, weights.norm()), weights.heads())
        graph.output(logits, "logits", "float32", ["rows", config.codebooks * config.vocabulary])


def build_cross(file: Path, weights: DecoderWeights) -> None:
    """Input: text [T, hidden]. Outputs: text_key_i, text_value_i [1, heads, T, head] of every layer.

    In full precision whatever the decoder is: it runs once a song, and errors here would stay for all of it.
    """
    config = weights.config
    with GraphBuilder(file) as graph:
        text = graph.input("text", "float32", ["text", config.hidden])
        for index in range(config.layers):
            cross = weights.layer(index).cross
            if cross is None:
                raise ValueError("this model has no cross-attention")
            for name, matrix in (("key", cross.key), ("value", cross.value)):
                projected = graph.node("MatMul", text, graph.constant(matrix.T))
                heads = graph.transpose(
                    graph.reshape(projected, 1, -1, config.heads, config.head), 0, 2, 1, 3
                )
                shape: Dimensions = [1, config.heads, "text", config.head]
                graph.output(heads, f"text_{name}_{index}", "float32", shape)


def _self_attention(
    graph: GraphBuilder, hidden: str, layer: LayerWeights, index: int, heads: int, linear: Linear
) -> str:
    normed = _norm(graph, hidden, layer.self_norm)
    packed = linear(graph, normed, np.concatenate([layer.query, layer.key, layer.value]))
    cache: Dimensions = ["rows", heads, "positions", layer.query.shape[0] // heads]
    past = [graph.input(f"{name}_{index}", "float32", cache) for name in ("key", "value")]
    present = [f"present_{name}" for name in past]
    attended = f"attended_{index}"
    graph.call(
        "GroupQueryAttention",
        [packed, "", "", *past, "lengths", "total"],
        [attended, *present],
        domain=MICROSOFT,
        num_heads=heads,
        kv_num_heads=heads,
    )
    for name in present:
        graph.declare(name, "float32", cache)
    return linear(graph, attended, layer.out)


def _cross_attention(
    graph: GraphBuilder, hidden: str, cross: CrossWeights, index: int, heads: int, linear: Linear
) -> str:
    """Adds cross-attention to the conditional rows; for the others it is zero, so they skip it."""
    cache: Dimensions = ["songs", heads, "text", cross.query.shape[0] // heads]
    text = [graph.input(f"text_{name}_{index}", "float32", cache) for name in ("key", "value")]
    rows = graph.node("Gather", hidden, "conditional", axis=0)
    query = linear(graph, _norm(graph, rows, cross.norm), cross.query)
    attended = graph.node("MultiHeadAttention", query, *text, "", "mask", domain=MICROSOFT, num_heads=heads)
    updated = graph.add(rows, linear(graph, attended, cross.out))
    return graph.node("ScatterND", hidden, graph.node("Unsqueeze", "conditional", graph.integers(1)), updated)


def _feed_forward(graph: GraphBuilder, hidden: str, layer: LayerWeights, linear: Linear) -> str:
    wide = linear(graph, _norm(graph, hidden, layer.ffn_norm), layer.up)
    return linear(graph, graph.node("Gelu", wide, domain=MICROSOFT), layer.down)


def _norm(graph: GraphBuilder, value: str, weights: NormWeights) -> str:
    scale, bias = graph.constant(weights.scale), graph.constant(weights.bias)
    return graph.node("LayerNormalization", value, scale, bias, axis=-1, epsilon=EPSILON)
