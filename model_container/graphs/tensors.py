"""What the GPU engine reads: the decoder and the codec's decoding side, as a checkpoint of their own.

Knows the safetensors format and which part is stored how. Must not know how a GPU computes.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from model_container.engine.checkpoint import Checkpoint
from model_container.engine.decoder import DecoderWeights

# The decoder computes in 16 bits there; sound stays exact.
PARTS = {"decoder.": ("F16", np.float16), "audio_encoder.decoder.": ("F32", np.float32)}


def ask(weights: DecoderWeights) -> None:
    """Look at every weight once, so that what is missing or wrongly shaped is refused."""
    for index in range(weights.config.layers):
        weights.layer(index)
    weights.norm()
    weights.heads()


def write_tensors(
    file: Path,
    checkpoint: Checkpoint,
    unused: tuple[str, ...],
    parts: Mapping[str, tuple[str, Any]] = PARTS,
) -> None:
    """One tensor at a time; names stay as published. Those that end in one of `unused` are left out.

    parts: safetensors' and numpy's type of all tensors whose names start so.
    """
    header, offset = {}, 0
    tensors = [
        (name, shape, *kind)
        for prefix, kind in parts.items()
        for name, shape in checkpoint.shapes(prefix).items()
        if not name.endswith(unused)
    ]
    for name, shape, dtype, kind in tensors:
        size = int(np.prod(shape)) * np.dtype(kind).itemsize
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    with file.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        for name, shape, _, kind in tensors:
            stream.write(checkpoint.tensor(name, *shape).astype(kind).tobytes())
