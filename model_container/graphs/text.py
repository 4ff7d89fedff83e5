"""T5's encoder and MusicGen's projection of its states as one graph for one text.

Knows T5 (Raffel et al. 2020, arXiv:1910.10683) and its names in a checkpoint. Must not know tokenizing.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_container.engine.checkpoint import Checkpoint
from model_container.engine.config import ModelConfig, TextConfig
from model_container.graphs.builder import MICROSOFT, GraphBuilder

PREFIX = "text_encoder.encoder"
PROJECTION = "enc_to_dec_proj"


def build_text(file: Path, checkpoint: Checkpoint, config: ModelConfig) -> None:
    """Input: tokens int64 [T]. Output: states float32 [T, decoder's hidden]."""
    text = config.text
    with GraphBuilder(file) as graph:
        tokens = graph.input("tokens", "int64", ["text"])
        table = checkpoint.tensor("text_encoder.shared.weight", text.vocabulary, text.hidden)
        states = graph.node("Gather", graph.constant(table), tokens)
        bias = _position_bias(graph, checkpoint, text, tokens)
        for index in range(text.layers):
            block = _Block(graph, checkpoint, text, f"{PREFIX}.block.{index}.layer")
            states = block.feed_forward(block.attention(states, bias))
        final = checkpoint.tensor(f"{PREFIX}.final_layer_norm.weight", text.hidden)
        states = _norm(graph, states, graph.constant(final), text.epsilon)
        states = _project(graph, checkpoint, states, text.hidden, config.decoder.hidden)
        graph.output(states, "states", "float32", ["text", config.decoder.hidden])


class _Block:
    """One of T5's layers, its weights under `name`."""

    def __init__(self, graph: GraphBuilder, checkpoint: Checkpoint, config: TextConfig, name: str) -> None:
        self._graph, self._checkpoint, self._config, self._name = graph, checkpoint, config, name

    def attention(self, states: str, bias: str) -> str:
        graph, config = self._graph, self._config
        normed = self._normed(states, 0)
        inner = config.heads * config.head
        query, key, value = (
            graph.reshape(
                self._linear(normed, f"0.SelfAttention.{part}", inner, config.hidden), 0, config.heads, -1
            )
            for part in "qkv"
        )
        # T5 does not scale its scores: that is folded into its weights' initial size.
        scores = graph.node("MatMul", graph.transpose(query, 1, 0, 2), graph.transpose(key, 1, 2, 0))
        shares = graph.node("Softmax", graph.add(scores, bias), axis=-1)
        mixed = graph.transpose(graph.node("MatMul", shares, graph.transpose(value, 1, 0, 2)), 1, 0, 2)
        out = self._linear(graph.reshape(mixed, 0, inner), "0.SelfAttention.o", config.hidden, inner)
        return graph.add(states, out)

    def feed_forward(self, states: str) -> str:
        graph, config = self._graph, self._config
        normed = self._normed(states, 1)
        if config.gated:
            gate = self._linear(normed, "1.DenseReluDense.wi_0", config.ffn, config.hidden)
            wide = self._linear(normed, "1.DenseReluDense.wi_1", config.ffn, config.hidden)
            wide = graph.node("Mul", graph.node("FastGelu", gate, domain=MICROSOFT), wide)
        else:
            wide = graph.node("Relu", self._linear(normed, "1.DenseReluDense.wi", config.ffn, config.hidden))
        return graph.add(states, self._linear(wide, "1.DenseReluDense.wo", config.hidden, config.ffn))

    def _normed(self, states: str, part: int) -> str:
        weight = self._checkpoint.tensor(f"{self._name}.{part}.layer_norm.weight", self._config.hidden)
        return _norm(self._graph, states, self._graph.constant(weight), self._config.epsilon)

    def _linear(self, value: str, name: str, outputs: int, inputs: int) -> str:
        weight = self._checkpoint.tensor(f"{self._name}.{name}.weight", outputs, inputs)
        return self._graph.node("MatMul", value, self._graph.constant(weight.T))


def _norm(graph: GraphBuilder, states: str, weight: str, epsilon: float) -> str:
    """Scale to unit root mean square (Zhang and Sennrich 2019, arXiv:1910.07467): no mean, no bias."""
    square = graph.node("ReduceMean", graph.node("Mul", states, states), graph.integers(-1))
    size = graph.node("Sqrt", graph.add(square, graph.constant(np.array(epsilon, np.float32))))
    return graph.node("Mul", graph.node("Div", states, size), weight)


def _project(graph: GraphBuilder, checkpoint: Checkpoint, states: str, inputs: int, outputs: int) -> str:
    if f"{PROJECTION}.weight" not in checkpoint:
        if inputs != outputs:
            checkpoint.tensor(f"{PROJECTION}.weight", outputs, inputs)  # says that it is missing
        return states
    weight = checkpoint.tensor(f"{PROJECTION}.weight", outputs, inputs)
    projected = graph.node("MatMul", states, graph.constant(weight.T))
    return graph.add(projected, graph.constant(checkpoint.tensor(f"{PROJECTION}.bias", outputs)))


def _position_bias(graph: GraphBuilder, checkpoint: Checkpoint, config: TextConfig, tokens: str) -> str:
    """What attention adds for the distance between two tokens, [heads, T, T]; the same in every layer."""
    name = f"{PREFIX}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
    learned = checkpoint.tensor(name, config.buckets, config.heads)
    reach = config.max_distance  # whatever is farther shares the last bucket
    table = learned[_buckets(np.arange(-reach, reach + 1), config)].T
    zero, one = graph.constant(np.array(0)), graph.constant(np.array(1))
    length = graph.node("Gather", graph.node("Shape", tokens), zero)
    index = graph.node("Range", zero, length, one)
    columns = graph.node("Unsqueeze", index, graph.integers(0))
    rows = graph.node("Unsqueeze", index, graph.integers(1))
    near = graph.node(
        "Clip",
        graph.node("Sub", columns, rows),
        graph.constant(np.array(-reach)),
        graph.constant(np.array(reach)),
    )
    return graph.node(
        "Gather", graph.constant(table), graph.add(near, graph.constant(np.array(reach))), axis=1
    )


def _buckets(distance: NDArray[np.int64], config: TextConfig) -> NDArray[np.int64]:
    """T5's bucket of (key - query): half for each sign; one each when near, logarithmic when farther."""
    half = config.buckets // 2
    exact = half // 2
    size = np.abs(distance)
    # In fp32 as T5 was trained: where a bucket begins is a matter of rounding.
    logarithm = np.log(np.maximum(size, 1).astype(np.float32) / np.float32(exact))
    scaled = logarithm / np.float32(np.log(config.max_distance / exact)) * np.float32(half - exact)
    far = np.minimum(exact + scaled.astype(np.int64), half - 1)
    return np.where(size < exact, size, far) + np.where(distance > 0, half, 0)
