"""The GPU engine against transformers' eager fp16 on the same random weights, for each of MusicGen's sizes.

First the decoder's loop: steps with guidance and sampling, tokens in and tokens out. Text and sound are not
in it. What bounds a step is reading its weights, keys and values: so beside times and ratios this prints
which share of the copy bandwidth, measured on the same card, that reading is. Then whole songs as a server
makes them, EnCodec included: one, and as many at once as fit.

Needs a CUDA device and model_container/requirements-dev.txt. Without a device `--quick` still runs, a tiny
model on the CPU: that shows that it works, and measures nothing.
"""

import gc
import sys
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
import torch

from bench import engine_gpu_attention, engine_gpu_songs
from bench.engine_gpu_sides import SHAPES, Ours, Side, Size, Transformers, build
from bench.report import Spread, conclude, parser, say
from model_container.engine.torch_decoder import bucket, song_bytes
from model_container.engine.torch_model import fitting

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
POSITIONS = (60, 750, 1380)  # columns: early, in the middle, late
CLIP_FRAMES = 1500  # 30 s
COLUMNS = CLIP_FRAMES + 3
RATE = 50  # columns in a second of music


def main() -> int:
    options = parser("engine_gpu", __doc__)
    options.add_argument("--sizes", nargs="+", choices=SHAPES, default=["small", "medium", "large"])
    chosen = options.parse_args()
    if DEVICE == "cpu" and not chosen.quick:
        say(
            "There is no CUDA device here, and nothing to measure. With --quick a tiny model runs on the CPU."
        )
        return 2
    sizes = ["tiny"] if chosen.quick else chosen.sizes
    copied = copy_bandwidth()
    name = torch.cuda.get_device_name() if DEVICE == "cuda" else "cpu"
    say(f"{name} copies {copied / 1e9:.0f} GB/s")
    figures = {}
    for size in sizes:
        figures[size] = measure(size, copied, quick=chosen.quick)
        gc.collect()  # this size's weights make room for the next
        if DEVICE == "cuda":
            torch.cuda.empty_cache()  # what torch keeps for itself is counted as used
    conclude(
        {
            "device": name,
            "quick": chosen.quick,
            "torch": torch.__version__,
            "copy_gb_s": round(copied / 1e9),
            **figures,
        }
    )
    return 0


def measure(name: str, copied: float, *, quick: bool) -> dict[str, object]:
    """One size: both sides in turns, then ours alone with many songs."""
    size, positions = SHAPES[name], (20, 40) if quick else POSITIONS
    steps, rounds = (4, 2) if quick else (50, 5)
    model = build(size, DEVICE)
    ours = Ours(model, size, DEVICE, songs=2 if quick else songs_beside(model, size))
    theirs = Transformers(model)
    began = perf_counter()
    recorded = 1 if quick else ours.player.warm(60)
    say(f"{name}: {recorded} shapes recorded in {perf_counter() - began:.1f} s")
    error = relative_rms(ours.logits(20), theirs.logits(20))
    times = {at: interleaved(ours, theirs, at, steps, rounds) for at in positions}
    for at, (mine, other) in times.items():
        say(f"{name} at {at}: {mine.times(1e3)} ms a step, transformers {other.times(1e3)}")
    late = max(positions)
    read = ours.step_bytes + size.cache_bytes * late
    return {
        "ratio_vs_transformers_fp16": round(
            sum(other.median for _, other in times.values()) / sum(mine.median for mine, _ in times.values()),
            2,
        ),
        "ms_per_step": {str(at): [mine.times(1e3).rounded() for mine in pair] for at, pair in times.items()},
        "bandwidth_fraction": round(read / times[late][0].median / copied, 3),
        "clip_s": None if quick else round(clock(lambda: ours.clip(COLUMNS)), 3),
        "music_s_per_s": throughput(ours, steps, positions[1]),
        "relative_rms": round(error, 5),
        "attention": {
            str(songs): engine_gpu_attention.measure(size, songs, bucket(late), copied, DEVICE, clock)
            for songs in (1, ours.player.slots)
        },
        "songs": engine_gpu_songs.measure(ours, size, [1, ours.player.slots], 100 if quick else CLIP_FRAMES),
    }


def interleaved(ours: Ours, theirs: Transformers, at: int, steps: int, rounds: int) -> tuple[Spread, Spread]:
    """Seconds a step of each, in turns; both start at the same column in every round."""
    times: tuple[list[float], list[float]] = ([], [])
    sides: tuple[Side, Side] = (ours, theirs)
    for _ in range(rounds):
        for side, taken in zip(sides, times, strict=True):
            side.seek(at)
            side.play(2)
            taken.append(clock(partial(side.play, steps)) / steps)
    return Spread.of(times[0]), Spread.of(times[1])


def throughput(ours: Ours, steps: int, at: int) -> dict[str, float]:
    """Seconds of music a second, for so many songs together."""
    figures = {}
    for songs in (1, 2, 4, 8, 16, 32):
        if songs <= ours.player.slots:
            ours.seek(at, songs)
            ours.play(2)
            figures[str(songs)] = round(songs * steps / RATE / clock(lambda: ours.play(steps)), 1)
    say(f"seconds of music a second, by songs: {figures}")
    return figures


def clock(run: Callable[[], object]) -> float:
    """Seconds until the device has done it."""
    synchronize()
    began = perf_counter()
    run()
    synchronize()
    return perf_counter() - began


def synchronize() -> None:
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def copy_bandwidth() -> float:
    """Bytes a second, read and written, of copying within the device's memory; the best of several tries."""
    source = torch.ones(1 << (30 if DEVICE == "cuda" else 24), dtype=torch.uint8, device=DEVICE)
    target = torch.empty_like(source)
    seconds = min(clock(lambda: [target.copy_(source) for _ in range(8)]) for _ in range(5))
    return float(8 * 2 * source.numel() / seconds)


def songs_beside(model: Any, size: Size) -> int:
    """Songs that fit beside this model, which is there, and ours of the same weights."""
    weights = sum(parameter.nbytes for parameter in model.parameters())
    free: int = torch.cuda.mem_get_info()[0]
    return fitting(free, weights, song_bytes(size.config, COLUMNS, torch.float16))


def relative_rms(logits: Any, expected: Any) -> float:
    return float(np.sqrt(np.mean((logits - expected) ** 2)) / expected.std())


if __name__ == "__main__":
    sys.exit(main())
