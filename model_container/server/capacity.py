"""How much of this machine is ours: CPUs by quota, memory by limit, songs by memory.

Knows Linux's control groups. Must not know songs.
"""

import os
from pathlib import Path

from model_container.engine.config import load_config
from model_container.engine.model import NATIVE, choose_decoder, max_positions

CGROUP = Path("/sys/fs/cgroup")
BASE = 900 << 20  # bytes: the interpreter, T5's and EnCodec's weights and working memory
MAX_SLOTS = 8


def cpus() -> int:
    """CPUs that we may keep busy: with more threads, the quota stops all of them for a while."""
    available = len(os.sched_getaffinity(0))
    try:
        quota, period = (CGROUP / "cpu.max").read_text().split()
        return max(1, min(available, int(quota) // int(period)))
    except (OSError, ValueError):  # no control group, or no limit
        return available


def memory() -> int:
    """Bytes that we may use."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(total, int((CGROUP / "memory.max").read_text()))
    except (OSError, ValueError):
        return total


def slots(folder: Path, budget: int) -> int:
    """Songs that can be made at a time in so many bytes, each as long as one can be; at least 1.

    On a GPU its own memory counts, and not the bytes given.
    """
    config = load_config(folder)
    if choose_decoder(folder) == "torch":
        from model_container.engine import torch_model  # here, as a CPU's installation has no torch

        return torch_model.slots(folder, config, max_positions(config))
    native = choose_decoder(folder) == "native"
    values = 4 * config.decoder.layers * max_positions(config) * config.decoder.hidden
    weights = (folder / NATIVE if native else folder / "decoder.weights").stat().st_size
    # Keys and values take a byte each and scales in our own decoder, four bytes in ONNX Runtime's.
    song = values * 5 // 4 if native else values * 4
    return max(1, min(MAX_SLOTS, (budget - BASE - weights) // song))


def resident() -> int:
    """Bytes of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
