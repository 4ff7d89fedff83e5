"""Checkpoints of the two-track model and of EnCodec at 24 kHz with few, random weights.

    python -m tests.engine.tiny_tracks FOLDER     # FOLDER/encodec and FOLDER/cascade.pt

The real architectures under the published names: a frame has 320 samples, as it must.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch

from model_container.cascade import Agent, Architecture, build
from tests.engine import tiny

RATE, RATIOS, FILTERS, HIDDEN = 24_000, (8, 5, 4, 2), 2, 16
HOP = 320


def write(folder: Path, agent: Agent | None = "masking", *, cascade: bool = True) -> Path:
    """Write cascade.pt and encodec/ into a folder, as `model_container.pack` takes them."""
    write_encodec(folder / "encodec")
    write_cascade(folder / "cascade.pt", agent, cascade=cascade)
    return folder


def write_encodec(folder: Path, filters: int = FILTERS, hidden: int = HIDDEN) -> Path:
    """EnCodec's own checkpoint, as published for 24 kHz."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(encodec_config(filters, hidden)))
    shapes = dict(_encodec(filters, hidden))
    tiny.save(
        folder / "model.safetensors", {name: tiny.random(name, shape) for name, shape in shapes.items()}
    )
    return folder


def write_cascade(
    file: Path, agent: Agent | None = "masking", *, cascade: bool = True, dim: int = HIDDEN, layers: int = 1
) -> Path:
    """A training container with nothing but its weights and what they cannot tell."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = build(Architecture(cascade=cascade, layers=layers, dim=dim, agent=agent))
    torch.save({"model_state_dict": model.state_dict(), "args": {"nhead": 8}}, file)
    return file


def encodec_config(filters: int = FILTERS, hidden: int = HIDDEN) -> dict[str, Any]:
    return {
        **tiny.codec_config(),
        "codebook_dim": hidden,
        "codebook_size": 1024,
        "hidden_size": hidden,
        "num_filters": filters,
        "sampling_rate": RATE,
        "target_bandwidths": [1.5, 3.0, 6.0, 12.0, 24.0],
        "trim_right_ratio": 1.0,
        "upsampling_ratios": list(RATIOS),
        "use_causal_conv": True,
        "use_conv_shortcut": True,
    }


def _encodec(filters: int, hidden: int) -> tiny.Shapes:
    """Without the quantiser's books, which nothing reads; a published file has 32 of them."""
    width = filters * 2 ** len(RATIOS)
    yield "quantizer.layers.0.codebook.embed", (1024, hidden)
    sides = tiny.convolutions(RATIOS, filters, hidden)
    for name, shape, bias in sides:
        yield from tiny.convolution(name, shape, bias, prefix="")
    for level in range(len(RATIOS)):
        half = width >> (level + 1)
        layer = 3 * (len(RATIOS) - 1 - level)
        for name in (f"decoder.layers.{3 * level + 4}", f"encoder.layers.{layer + 1}"):
            yield from tiny.residual(name, half, prefix="")
            yield from tiny.convolution(f"{name}.shortcut", (half, half, 1), half, prefix="")
    for name in ("encoder.layers.13.lstm", "decoder.layers.1.lstm"):
        yield from tiny.lstm(name, width)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
