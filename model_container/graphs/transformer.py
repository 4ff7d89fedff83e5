"""Layers of a post-norm transformer over frames [batch, frames, width], and convolutions beside them.

Knows torch's names of their tensors. Must not know which model they make.
"""

from collections.abc import Mapping

import numpy as np

from model_container.engine.checkpoint import FloatArray
from model_container.graphs.builder import MICROSOFT, GraphBuilder

EPSILON = 1e-5
SLOPE = 0.2  # of every leaky ReLU


class Layers:
    """Writes nodes; `tensors` are a model's by name."""

    def __init__(self, graph: GraphBuilder, tensors: Mapping[str, FloatArray]) -> None:
        self.graph, self._tensors = graph, tensors

    def constant(self, name: str) -> str:
        return self.graph.constant(self._tensors[name])

    def linear(self, value: str, name: str) -> str:
        weight, bias = self._tensors[f"{name}.weight"], self._tensors[f"{name}.bias"]
        return self._affine(value, weight, bias)

    def norm(self, value: str, name: str) -> str:
        scale, bias = self.constant(f"{name}.weight"), self.constant(f"{name}.bias")
        return self.graph.node("LayerNormalization", value, scale, bias, axis=-1, epsilon=EPSILON)

    def attention(self, asking: str, asked: str, name: str, heads: int) -> str:
        """torch's multi-head attention of some frames over others, or over themselves."""
        weights = np.split(self._tensors[f"{name}.in_proj_weight"], 3)
        biases = np.split(self._tensors[f"{name}.in_proj_bias"], 3)
        inputs = asking, asked, asked
        parts = [self._affine(*part) for part in zip(inputs, weights, biases, strict=True)]
        mixed = self.graph.node("MultiHeadAttention", *parts, domain=MICROSOFT, num_heads=heads)
        return self.linear(mixed, f"{name}.out_proj")

    def encoder(self, value: str, name: str, layers: int, heads: int) -> str:
        """Post-norm layers with GELU (Vaswani et al. 2017, arXiv:1706.03762; Hendrycks and Gimpel 2016)."""
        graph = self.graph
        for layer in (f"{name}.layers.{index}" for index in range(layers)):
            heard = self.attention(value, value, f"{layer}.self_attn", heads)
            value = self.norm(graph.add(value, heard), f"{layer}.norm1")
            wide = graph.node("Gelu", self.linear(value, f"{layer}.linear1"))
            value = self.norm(graph.add(value, self.linear(wide, f"{layer}.linear2")), f"{layer}.norm2")
        return value

    def positions(self, value: str, name: str) -> str:
        """Add a table's first rows, as many as there are frames."""
        graph = self.graph
        frames = graph.node("Shape", value, start=1, end=2)
        rows = graph.node("Slice", self.constant(name), graph.integers(0), frames, graph.integers(1))
        return graph.add(value, rows)

    def convolution(self, value: str, name: str) -> str:
        """[batch, channels, frames] → as many frames; the kernel is odd."""
        weight = self._tensors[f"{name}.weight"]
        reach = weight.shape[2] // 2
        weights = self.graph.constant(weight), self.constant(f"{name}.bias")
        return self.graph.node("Conv", value, *weights, pads=[reach, reach])

    def leaky(self, value: str) -> str:
        return self.graph.node("LeakyRelu", value, alpha=SLOPE)

    def batch_norm(self, value: str, name: str) -> str:
        parts = [
            self.constant(f"{name}.{part}") for part in ("weight", "bias", "running_mean", "running_var")
        ]
        return self.graph.node("BatchNormalization", value, *parts, epsilon=EPSILON)

    def number(self, value: float) -> str:
        return self.graph.constant(np.array(value, np.float32))

    def _affine(self, value: str, weight: FloatArray, bias: FloatArray) -> str:
        product = self.graph.node("MatMul", value, self.graph.constant(weight.T))
        return self.graph.add(product, self.graph.constant(bias))
