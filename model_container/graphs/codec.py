"""EnCodec as four graphs that work on pieces of a signal: two that decode codes, two that encode sound.

Knows SEANet's convolutions and its names in a checkpoint (Défossez et al. 2022, arXiv:2210.13438). Must not
know how a signal is cut into pieces.

    codes ─(codebooks)─► latents ─[codec_lstm]─► features ─[codec_sound]─► sound
    codes ◄─(codebooks)─ latents ◄─[codec_latents]─ features ◄─[codec_features]─ sound

The convolutions look to both sides, the LSTM only back: so the LSTM's state is carried from piece to piece,
and a piece needs a few frames more on each side for the convolutions, whose results there are dropped.
Causal ones look only back, and need none after.
"""

from pathlib import Path

import numpy as np

from model_container.engine.checkpoint import Checkpoint, FloatArray
from model_container.engine.config import CodecConfig
from model_container.engine.weights import unnormed
from model_container.graphs.builder import GraphBuilder

PREFIX = "audio_encoder."  # within a MusicGen checkpoint
LATENT = "encoder.layers.", "decoder.layers."  # what computes latents and sound


def build_latent_codec(folder: Path, checkpoint: Checkpoint, config: CodecConfig) -> None:
    """The same graphs from EnCodec's own checkpoint, for continuous latents: no codebooks.

    Sound may then have any length: a last, partial frame is filled up as the published encoder does.
    """
    _write(folder, checkpoint, config, "")


def build_codec(folder: Path, checkpoint: Checkpoint, config: CodecConfig) -> None:
    """Write codec_lstm, codec_sound, codec_features and codec_latents, and codebooks.npy.

    codec_lstm: latents [batch, hidden, n], keep int64 [2] (the frames of n to go on with), state_h_i and
    state_c_i [1, batch, width] → features [batch, width, kept], next_h_i, next_c_i.
    codec_sound: features [batch, width, n] → sound [batch, 1, n * hop].
    codec_features: sound [batch, 1, n * hop] → features [batch, width, n].
    codec_latents: features [batch, width, n] of a whole signal → latents [batch, hidden, n].
    """
    np.save(folder / "codebooks.npy", _codebooks(checkpoint, config))
    _write(folder, checkpoint, config, PREFIX)


def _write(folder: Path, checkpoint: Checkpoint, config: CodecConfig, prefix: str) -> None:
    for name in ("lstm", "sound", "features", "latents"):
        with GraphBuilder(folder / f"codec_{name}.onnx") as graph:
            getattr(_Codec(graph, checkpoint, config, prefix), name)()


def _codebooks(checkpoint: Checkpoint, config: CodecConfig) -> FloatArray:
    names = [f"{PREFIX}quantizer.layers.{k}.codebook.embed" for k in range(config.codebooks)]
    return np.stack([checkpoint.tensor(name, config.codebook_size, config.hidden) for name in names])


class _Codec:
    def __init__(self, graph: GraphBuilder, checkpoint: Checkpoint, config: CodecConfig, prefix: str) -> None:
        self._graph, self._checkpoint, self._config, self._prefix = graph, checkpoint, config, prefix
        self._width = config.filters * 2 ** len(config.ratios)

    def lstm(self) -> None:
        graph, config = self._graph, self._config
        latents = graph.input("latents", "float32", ["batch", config.hidden, "n"])
        keep = graph.input("keep", "int64", [2])
        value = self._conv(latents, "decoder.layers.0", config.hidden, self._width, config.kernel)
        start, stop = graph.nodes("Split", keep, count=2, num_outputs=2)
        value = graph.node("Slice", value, start, stop, graph.integers(2))
        states = [
            [graph.input(f"state_{part}_{i}", "float32", [1, "batch", self._width]) for part in "hc"]
            for i in range(config.lstm_layers)
        ]
        features = self._recur(value, "decoder.layers.1", states)
        graph.output(features, "features", "float32", ["batch", self._width, "kept"])

    def sound(self) -> None:
        graph, config, width = self._graph, self._config, self._width
        value = graph.input("features", "float32", ["batch", width, "n"])
        layer = 2
        for ratio in config.ratios:
            value = graph.node("Elu", value)
            value = self._spread(value, f"decoder.layers.{layer + 1}", width, ratio)
            width //= 2
            for j in range(config.residual_layers):
                value = self._residual(value, f"decoder.layers.{layer + 2 + j}", width, j)
            layer += 2 + config.residual_layers
        value = self._conv(
            graph.node("Elu", value), f"decoder.layers.{layer + 1}", width, 1, config.last_kernel
        )
        graph.output(value, "sound", "float32", ["batch", 1, "samples"])

    def features(self) -> None:
        graph, config, width = self._graph, self._config, self._config.filters
        sound = graph.input("sound", "float32", ["batch", 1, "samples"])
        value = self._conv(sound, "encoder.layers.0", 1, width, config.kernel)
        layer = 1
        for ratio in reversed(config.ratios):
            for j in range(config.residual_layers):
                value = self._residual(value, f"encoder.layers.{layer + j}", width, j)
            layer += config.residual_layers
            name = f"encoder.layers.{layer + 1}"
            value = self._conv(graph.node("Elu", value), name, width, 2 * width, 2 * ratio, stride=ratio)
            width *= 2
            layer += 2
        graph.output(value, "features", "float32", ["batch", width, "n"])

    def latents(self) -> None:
        graph, config, width = self._graph, self._config, self._width
        features = graph.input("features", "float32", ["batch", width, "n"])
        layer = 1 + len(config.ratios) * (config.residual_layers + 2)
        value = graph.node("Elu", self._recur(features, f"encoder.layers.{layer}", None))
        value = self._conv(value, f"encoder.layers.{layer + 2}", width, config.hidden, config.last_kernel)
        graph.output(value, "latents", "float32", ["batch", config.hidden, "n"])

    def _residual(self, value: str, name: str, width: int, index: int) -> str:
        graph, config = self._graph, self._config
        narrow, dilation = width // config.compress, config.dilation_growth**index
        inner = graph.node("Elu", value)
        inner = self._conv(inner, f"{name}.block.1", width, narrow, config.residual_kernel, dilation=dilation)
        inner = self._conv(graph.node("Elu", inner), f"{name}.block.3", narrow, width, 1)
        if config.shortcut:
            value = self._conv(value, f"{name}.shortcut", width, width, 1)
        return graph.add(value, inner)

    def _conv(
        self,
        value: str,
        name: str,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        dilation: int = 1,
    ) -> str:
        graph = self._graph
        total = (kernel - 1) * dilation + 1 - stride
        if total:
            pads = self._pads(value, total, stride)
            value = graph.node("Pad", value, pads, "", graph.integers(2), mode="reflect")
        weight, bias = self._normed(name, outputs, inputs, kernel, bias=outputs)
        return graph.node("Conv", value, weight, bias, strides=[stride], dilations=[dilation])

    def _pads(self, value: str, total: int, stride: int) -> str:
        graph = self._graph
        if not self._config.causal:
            return graph.integers(total - total // 2, total // 2)
        if stride == 1:
            return graph.integers(total, 0)
        length = graph.node("Shape", value, start=2, end=3)
        rest = graph.node("Mod", graph.node("Neg", length), graph.integers(stride))
        return graph.node("Concat", graph.integers(total), rest, axis=0)

    def _spread(self, value: str, name: str, width: int, ratio: int) -> str:
        weight, bias = self._normed(name, width, width // 2, 2 * ratio, bias=width // 2)
        pads = [0, ratio] if self._config.causal else [ratio - ratio // 2, ratio // 2]
        return self._graph.node("ConvTranspose", value, weight, bias, strides=[ratio], pads=pads)

    def _normed(self, name: str, *shape: int, bias: int) -> tuple[str, str]:
        name = f"{self._prefix}{name}.conv"
        weight = self._graph.constant(unnormed(self._checkpoint, name, *shape))
        return weight, self._graph.constant(self._checkpoint.tensor(f"{name}.bias", bias))

    def _recur(self, value: str, name: str, states: list[list[str]] | None) -> str:
        """LSTM layers and the way around them; [batch, width, n] → the same; next states are outputs."""
        graph = self._graph
        steps = inner = graph.transpose(value, 2, 0, 1)
        for i in range(self._config.lstm_layers):
            weights = [
                self._gates(f"{self._prefix}{name}.lstm", part, i)
                for part in ("weight_ih", "weight_hh", "bias")
            ]
            carried = ["", *states[i]] if states else []
            outputs = [f"lstm_{i}", *([f"next_h_{i}", f"next_c_{i}"] if states else [])]
            graph.call("LSTM", [inner, *weights, *carried], outputs, hidden_size=self._width)
            for output in outputs[1:]:
                graph.declare(output, "float32", [1, "batch", self._width])
            inner = graph.node("Squeeze", f"lstm_{i}", graph.integers(1))
        return graph.transpose(graph.add(inner, steps), 1, 2, 0)

    def _gates(self, name: str, part: str, layer: int) -> str:
        """Gates in ONNX's order (input, output, forget, cell) from torch's (input, forget, cell, output)."""
        tensor, width = self._checkpoint.tensor, self._width
        if part == "bias":
            stacked = [tensor(f"{name}.bias_{kind}_l{layer}", 4 * width) for kind in ("ih", "hh")]
        else:
            stacked = [tensor(f"{name}.{part}_l{layer}", 4 * width, width)]
        ordered = [gates.reshape(4, width, -1)[[0, 3, 1, 2]].reshape(gates.shape) for gates in stacked]
        return self._graph.constant(np.concatenate(ordered)[None])
