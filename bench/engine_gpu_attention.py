"""Attention of one query a row over a long cache, by each of torch's kernels that can: which one is fastest.

The engine leaves cuDNN's out and otherwise takes what torch takes (`torch_layers.ATTENTION`). This says
whether that is right, and whether a kernel of our own would be worth it: beside each time stands the share of
the copy bandwidth that reading keys and values is. It is over 1 where they fit into the device's own caches.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from bench.engine_gpu_sides import Size
from bench.report import say
from model_container.engine.torch_graph import CudaGraphs, eagerly

KERNELS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "math": SDPBackend.MATH,
}
REPEATS = 100
Clock = Callable[[Callable[[], object]], float]


def measure(size: Size, songs: int, seen: int, copied: float, device: str, clock: Clock) -> dict[str, object]:
    """For each kernel: microseconds for one layer, and the share of `copied`, bytes a second; or None."""
    dtype = torch.float16 if device == "cuda" else torch.float32
    shape = 2 * songs, size.heads, seen, size.hidden // size.heads
    keys, values = torch.randn(2, *shape, dtype=dtype, device=device)
    query, mask = torch.randn_like(keys[:, :, :1]), keys.new_zeros(2 * songs, 1, 1, seen)
    read = 2 * keys.nbytes
    figures: dict[str, object] = {}
    for name, kernel in KERNELS.items():
        run = recorded(lambda: scaled_dot_product_attention(query, keys, values, mask), kernel, device)
        if run is None:
            figures[name] = None
            continue
        clock(run)
        seconds = clock(partial(repeat, run)) / REPEATS
        figures[name] = [round(seconds * 1e6, 1), round(read / seconds / copied, 3)]
    say(f"attention of {songs} songs over {seen} positions, in µs and of the bandwidth: {figures}")
    return figures


def repeat(run: Callable[[], None]) -> None:
    for _ in range(REPEATS):
        run()


def recorded(attend: Callable[[], object], kernel: SDPBackend, device: str) -> Callable[[], None] | None:
    def run() -> None:
        with sdpa_kernel(kernel):
            attend()

    try:
        run()
    except RuntimeError:  # torch's word for a kernel that is not made for these tensors
        return None
    return (CudaGraphs() if device == "cuda" else eagerly)(run)
