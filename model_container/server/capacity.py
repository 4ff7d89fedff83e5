"""How many songs this machine can make at a time.

Knows what a song and a model take in memory. Must not know how songs are made.
"""

import os
from pathlib import Path

from model_container.engine.config import ModelConfig, load_config
from model_container.engine.manifest import Manifest
from model_container.engine.model import NATIVE, max_positions
from model_container.engine.song import MAX_FRAMES
from model_container.engine.text import MAX_TOKENS

BASE = 900 << 20  # bytes: the interpreter, T5's and EnCodec's weights and working memory
MAX_SLOTS = 8


def slots(folder: Path, decoder: str, budget: int, queue: int, dtype: str = "auto") -> int:
    """Songs that can be made at a time in so many bytes, each as long as one can be; at least 1.

    queue: songs that have a place beside them, and perhaps a whole song's sound that nobody has read.
    On a GPU its own memory counts, and not the bytes given.
    """
    config = load_config(folder)
    if decoder == "torch":
        from model_container.engine import torch_model  # here, as a CPU's installation has no torch

        return torch_model.slots(folder, config, max_positions(config), dtype)
    weights = (folder / (NATIVE if decoder == "native" else "decoder.weights")).stat().st_size
    sound = 4 * config.decoder.channels * config.codec.hop * MAX_FRAMES
    song = cache(config, decoder, Manifest.read(folder).weights) + sound
    return max(1, min(MAX_SLOTS, (budget - BASE - weights - queue * sound) // song))


def cache(config: ModelConfig, decoder: str, weights: str) -> int:
    """Bytes of the keys and values of one song with the longest window and the longest text."""
    shape, element, scale = config.decoder, 4, 0
    if decoder == "native":  # keeps them as it keeps weights, and no shorter than in a byte
        element = {"fp32": 4, "bf16": 2}.get(weights, 1)
        scale = 4 if element == 1 else 0
    rows = 2 * max_positions(config) + (0 if shape.melody else MAX_TOKENS)
    return 2 * shape.layers * rows * (shape.hidden * element + shape.heads * scale)


def resident() -> int:
    """Bytes of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
