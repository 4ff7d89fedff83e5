"""The two-track model as one graph: two songs' latents in, those of a new one out, of any length it knows.

Knows the names of its tensors and what is done with them. Must not know files of checkpoints: it is given
tensors that the model itself has checked, with every projection already divided by its spectral norm.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from model_container.engine.checkpoint import FloatArray
from model_container.graphs.builder import GraphBuilder
from model_container.graphs.transformer import Layers

if TYPE_CHECKING:  # its package imports torch, which this module does without
    from model_container.cascade.architecture import Architecture

TINY = 1e-8
QUIETEST, LOUDEST = 0.7, 1.5  # gain
MASK_HEADS = 4
BRANCHES = "rhythm", "harmony", "timbre"
CHANNELS, COMPONENTS = 64, 6
COMPOSER_LAYERS, COMPOSER_HEADS = 4, 8
BOUND = 50.0


def build_cascade(file: Path, tensors: Mapping[str, FloatArray], architecture: "Architecture") -> None:
    """track1, track2 [batch, dim, frames] → latents of the same shape."""
    shape: list[int | str] = ["batch", architecture.dim, "frames"]
    with GraphBuilder(file) as graph:
        track1, track2 = (graph.input(name, "float32", shape) for name in ("track1", "track2"))
        blend = _Blend(graph, tensors, architecture)
        latents = blend.cascade(track1, track2) if architecture.cascade else blend.single(track1)
        graph.output(latents, "latents", "float32", shape)


class _Blend(Layers):
    def __init__(
        self, graph: GraphBuilder, tensors: Mapping[str, FloatArray], architecture: "Architecture"
    ) -> None:
        super().__init__(graph, tensors)
        self._architecture = architecture

    def single(self, track: str) -> str:
        frames = self._turned(track)
        return self._turned(self.graph.add(frames, self._refined(frames, "")))

    def cascade(self, track1: str, track2: str) -> str:
        graph = self.graph
        match self._architecture.agent:
            case "masking":
                track1, track2 = self._masked(track1, track2)
            case "compositional":
                track1 = self._composed(track1, track2)
        a, b = self._turned(track1), self._turned(track2)
        squares = [graph.node("Mul", size, size) for size in (self._rms(a), self._rms(b))]
        level = graph.node("Sqrt", graph.node("Mul", graph.add(*squares), self.number(0.5)))
        first = self._stage(0, [a, b], level)
        return self._turned(self._stage(1, [a, first, b], level))

    def _stage(self, index: int, heard: list[str], level: str) -> str:
        graph = self.graph
        joined = graph.node("Concat", *heard, axis=-1)
        refined = self._refined(joined, f"cascade_stages.{index}.")
        mean = graph.node("Div", graph.node("Sum", *heard), self.number(len(heard)))
        mixed = graph.add(refined, mean)
        gain = graph.node("Div", level, graph.add(self._rms(mixed), self.number(TINY)))
        gain = graph.node("Clip", gain, self.number(QUIETEST), self.number(LOUDEST))
        return graph.node("Mul", mixed, gain)

    def _refined(self, frames: str, prefix: str) -> str:
        """[batch, frames, width] → [batch, frames, dim]."""
        if self._architecture.cascade:
            frames = self.positions(frames, f"{prefix}pos_encoding.pe")
        value = self.norm(frames, f"{prefix}input_norm")
        layers, heads = self._architecture.layers, self._architecture.heads
        value = self.encoder(value, f"{prefix}transformer", layers, heads)
        return self.linear(self.norm(value, f"{prefix}post_norm"), f"{prefix}output_proj")

    def _masked(self, track1: str, track2: str) -> tuple[str, str]:
        name = "creative_agent.mask_generator"
        seen1 = self._turned(self._analyzed(track1, f"{name}.input_analyzer"))
        seen2 = self._turned(self._analyzed(track2, f"{name}.target_analyzer"))
        asked1 = self.attention(seen1, seen2, f"{name}.cross_attention", MASK_HEADS)
        asked2 = self.attention(seen2, seen1, f"{name}.cross_attention", MASK_HEADS)
        masks = (
            self._mask(asked1, f"{name}.input_mask_generator"),
            self._mask(asked2, f"{name}.target_mask_generator"),
        )
        return self._levelled(track1, masks[0]), self._levelled(track2, masks[1])

    def _analyzed(self, track: str, name: str) -> str:
        relu = self.graph.node("Relu", self.convolution(track, f"{name}.0"))
        return self.graph.node("Relu", self.convolution(relu, f"{name}.2"))

    def _mask(self, asked: str, name: str) -> str:
        relu = self.graph.node("Relu", self.convolution(self._turned(asked), f"{name}.0"))
        return self.graph.node("Sigmoid", self.convolution(relu, f"{name}.2"))

    def _levelled(self, track: str, mask: str) -> str:
        quieter = self.graph.node("Mul", track, mask)
        gain = self.graph.node("Div", self._rms(track), self._rms(quieter))
        return self.graph.node("Mul", quieter, gain)

    def _composed(self, track1: str, track2: str) -> str:
        graph, name = self.graph, "creative_agent"
        branches = [
            self._branch(track, f"{name}.{side}_extractor.{branch}")
            for side, track in (("input", track1), ("target", track2))
            for branch in BRANCHES
        ]
        components = graph.node("Concat", *branches, axis=1)
        wanted = self.leaky(self.convolution(components, f"{name}.component_selector.0"))
        shares = graph.node("Softmax", self.convolution(wanted, f"{name}.component_selector.2"), axis=1)
        grouped = graph.node("Reshape", components, graph.integers(0, COMPONENTS, CHANNELS, -1))
        weighed = graph.node("Mul", grouped, graph.node("Unsqueeze", shares, graph.integers(2)))
        chosen = graph.node("Reshape", weighed, graph.integers(0, COMPONENTS * CHANNELS, -1))
        return self._turned(self._composition(self._turned(chosen), f"{name}.composer"))

    def _branch(self, track: str, name: str) -> str:
        inner = self.leaky(self.convolution(track, f"{name}_conv1"))
        inner = self.leaky(self.convolution(inner, f"{name}_conv2"))
        skipped = self.convolution(track, f"{name}_skip")
        return self.batch_norm(self.graph.add(inner, skipped), f"{name}_norm")

    def _composition(self, frames: str, name: str) -> str:
        graph = self.graph
        value = self.linear(frames, f"{name}.component_projection")
        value = self.positions(value, f"{name}.pos_encoder.pe")
        value = self.encoder(value, f"{name}.composer", COMPOSER_LAYERS, COMPOSER_HEADS)
        value = graph.node("Gelu", self.linear(value, f"{name}.output_projection.0"))
        value = self.linear(value, f"{name}.output_projection.3")
        value = graph.node("Clip", value, self.number(-BOUND), self.number(BOUND))
        return graph.node("Where", graph.node("IsNaN", value), self.number(0.0), value)

    def _rms(self, value: str) -> str:
        """Over channels and frames; [batch, 1, 1]."""
        graph = self.graph
        mean = graph.node("ReduceMean", graph.node("Mul", value, value), graph.integers(1, 2))
        return graph.node("Sqrt", graph.add(mean, self.number(TINY)))

    def _turned(self, value: str) -> str:
        """[batch, channels, frames] ↔ [batch, frames, channels]."""
        return self.graph.transpose(value, 0, 2, 1)
