"""How many songs this machine can make at a time.

Knows what a song and a model take in memory. Must not know how songs are made.
"""

import os
from pathlib import Path

from model_container.engine.config import load_config
from model_container.engine.model import NATIVE, max_positions
from model_container.engine.song import MAX_FRAMES

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
    native = decoder == "native"
    values = 4 * config.decoder.layers * max_positions(config) * config.decoder.hidden
    weights = (folder / NATIVE if native else folder / "decoder.weights").stat().st_size
    sound = 4 * config.decoder.channels * config.codec.hop * MAX_FRAMES
    # Keys and values take a byte each and scales in our own decoder, four bytes in ONNX Runtime's.
    song = (values * 5 // 4 if native else values * 4) + sound
    return max(1, min(MAX_SLOTS, (budget - BASE - weights - queue * sound) // song))


def resident() -> int:
    """Bytes of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
