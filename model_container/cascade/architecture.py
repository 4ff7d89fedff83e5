"""What a two-track model is built from, and how its weights alone tell it.

Knows the names and shapes of the published layout and of its ancestors. Must not know files or computation.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from model_container.engine.config import CheckpointError

Agent = Literal["masking", "compositional"]
Shapes = Mapping[str, tuple[int, ...]]

STAGES = 2  # of every cascade, whatever number it was trained to ask for

# Layouts that were used before the published one, by a name that only they hold.
LEGACY = {
    r"(window_selector|tonality_reducer_\w+)\.": "the training-only model with a window selector",
    r"rms_(scale_logs|input_weights|target_weights)\.": "the cascade with learnable RMS scaling",
    r"cascade_stages\.([2-9]|\d\d+)\.": "the cascade of three real stages",
    r"creative_agent\.\w+_extractor\.[a-z]+_extractor\.": "the agent whose extractors have no skips",
    r"(.*\.)?output_proj\.\d+\.": "the model whose output projection is a small network",
    r"(.*\.)?output_proj\.weight$": "the model without spectral normalisation",
}


@dataclass(frozen=True)
class Architecture:
    """`layers` is per stage; `heads` leaves no trace in the weights; `noise` is for training alone.

    Raises CheckpointError when the heads do not divide a stage's width.
    """

    cascade: bool = True
    layers: int = 4
    heads: int = 8
    dim: int = 128
    dropout: float = 0.1
    agent: Agent | None = None
    noise: float = 0.0

    def __post_init__(self) -> None:
        if self.heads < 1 or any(width % self.heads for width in self.widths):
            raise CheckpointError(f"{self.heads} heads do not divide the widths {self.widths}")

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels that each stage reads."""
        return (2 * self.dim, 3 * self.dim) if self.cascade else (self.dim,)

    @classmethod
    def of(cls, shapes: Shapes, args: Mapping[str, Any]) -> "Architecture":
        """From the weights; `args` gives what they cannot tell, and is refused where it contradicts them.

        Raises CheckpointError; a layout that we know to be older than the published one is named.
        """
        _refuse_legacy(shapes)
        cascade = any(name.startswith("cascade_stages.") for name in shapes)
        stage = "cascade_stages.0." if cascade else ""
        if not any(name.startswith(f"{stage}transformer.layers.") for name in shapes):
            raise CheckpointError(
                f"no {stage}transformer.layers.*: these are not a two-track model's weights"
            )
        found = cls(
            cascade=cascade,
            layers=_layers(shapes, f"{stage}transformer.layers."),
            heads=_number(args, "nhead", 8),
            dim=(shapes.get(f"{stage}output_proj.bias") or (128,))[0],
            dropout=_number(args, "dropout", 0.1),
            agent=_agent(shapes),
            noise=_number(args, "anti_cheating", 0.0),
        )
        found._agree(args)
        return found

    def _agree(self, args: Mapping[str, Any]) -> None:
        told = {
            "num_layers": self.layers,
            "encoding_dim": self.dim,
            "use_compositional_agent": self.agent == "compositional",
        }
        wrong = [name for name, value in told.items() if args.get(name, value) != value]
        if (_number(args, "num_transformer_layers", STAGES if self.cascade else 1) > 1) != self.cascade:
            wrong.append("num_transformer_layers")
        if self.agent != "compositional" and "use_creative_agent" in args:
            wrong += ["use_creative_agent"] * (bool(args["use_creative_agent"]) != (self.agent == "masking"))
        if not self.cascade:  # one stage takes no agent, whatever was asked for
            wrong = [name for name in wrong if not name.endswith("_agent")]
        if wrong:
            said = ", ".join(f"{name}={args[name]}" for name in wrong)
            raise CheckpointError(f"the checkpoint's args contradict its weights ({self}): {said}")


def _number(args: Mapping[str, Any], name: str, default: Any) -> Any:
    value = args.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, type(default))):
        raise CheckpointError(f"the checkpoint's args give {name}={value!r}, not a number of its kind")
    return value


def _refuse_legacy(shapes: Shapes) -> None:
    for pattern, layout in LEGACY.items():
        found = sorted(name for name in shapes if re.match(pattern, name))
        if found:
            raise CheckpointError(
                f"a legacy layout: {layout} ({found[0]}). Only the published one is loaded."
            )


def _layers(shapes: Shapes, prefix: str) -> int:
    """One more than the highest index, and no more than there are tensors; loading then names the gaps."""
    indices = (name.removeprefix(prefix).split(".")[0] for name in shapes if name.startswith(prefix))
    return min(len(shapes), 1 + max((int(index) for index in indices if index.isdecimal()), default=0))


def _agent(shapes: Shapes) -> Agent | None:
    if any(name.startswith("creative_agent.input_extractor.") for name in shapes):
        return "compositional"
    masking = any(name.startswith("creative_agent.mask_generator.") for name in shapes)
    return "masking" if masking else None
