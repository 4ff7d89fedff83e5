"""The engine against transformers on the same weights: random ones of musicgen-small's exact architecture.

What bounds a step is memory: every weight is read once for each column of tokens. So beside times and
ratios this prints the share of it that reading the bytes alone would take at the bandwidth measured.

Needs model_container/requirements-dev.txt.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.engine_workers import KINDS, THREADS
from bench.report import Spread, conclude, parser, say

Times = dict[int, dict[str, list[float]]]  # position → kind → seconds a step, one a round

FOLDER = Path(".local/bench")
CLIP = 30.0  # seconds of music
POSITIONS = (60, 750, 1380)  # columns: early, in the middle, late
# Keys and values of musicgen-small in our decoder: layers × hidden × two × both rows, a byte each.
CACHE_BYTES = 24 * 1024 * 2 * 2


@dataclass(frozen=True)
class Plan:
    kinds: tuple[str, ...]
    positions: tuple[int, ...]
    rounds: int
    steps: int
    clip: float


QUICK = Plan(("native", "transformers-fp32", "transformers-bf16"), (60,), 3, 6, 2.0)
FULL = Plan(KINDS, POSITIONS, 5, 20, CLIP)


class Worker:
    def __init__(self, kind: str, checkpoint: Path, packs: Path) -> None:
        command = [sys.executable, "-W", "ignore", "-m", "bench.engine_workers", kind, checkpoint, packs]
        self._process = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.kind = kind
        self.load_seconds: float = self._answer()["seconds"]

    def ask(self, command: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"The worker of {self.kind} ended with {self._process.wait()}.")
        answer: dict[str, Any] = json.loads(line)
        return answer


def main() -> None:
    plan = QUICK if parser("engine", __doc__).parse_args().quick else FULL
    checkpoint, packs = prepare(plan)
    with ExitStack() as stack:
        workers = {kind: stack.enter_context(working(kind, checkpoint, packs)) for kind in plan.kinds}
        for kind, worker in workers.items():
            say(f"{kind:18} loaded in {worker.load_seconds:.1f} s")
        times = {position: _measure(workers, position, plan) for position in plan.positions}
        conclude(_figures(workers, times, plan))


def _figures(workers: dict[str, Worker], times: Times, plan: Plan) -> dict[str, object]:
    native, late, bandwidth = workers["native"], max(plan.positions), measure_bandwidth()
    error = _error(native, workers["transformers-fp32"])
    clip, facts = native.ask(f"clip {plan.clip}"), native.ask("facts")
    say(f"memory gives {bandwidth / 1e9:.1f} GB/s; a clip of {plan.clip:.0f} s took {clip['seconds']:.1f} s")
    floor = (facts["step_bytes"] + CACHE_BYTES * late) / bandwidth
    others = [kind for kind in plan.kinds if kind != "native"]
    return {
        **{f"ratio_vs_{kind.replace('-', '_')}": _ratio(times, kind) for kind in others},
        "ms_per_step": {str(p): _milliseconds(times[p]) for p in plan.positions},
        "bandwidth_fraction": round(floor / np.median(times[late]["native"]), 3),
        "bandwidth_gb_s": round(bandwidth / 1e9, 1),
        "real_time_factor": round(clip["seconds"] / plan.clip, 3),
        "first_sound_s": round(clip["first"], 2),
        "relative_rms": round(error, 4),
        "peak_rss_mb": facts["peak_rss_mb"],
        "load_s": round(native.load_seconds, 2),
    }


def prepare(plan: Plan) -> tuple[Path, Path]:
    """The random checkpoint, and its packs; made once."""
    checkpoint, packs = FOLDER / "musicgen-small", FOLDER / "packs"
    if not (checkpoint / "tokenizer.json").exists():
        say("Making a random checkpoint of musicgen-small (2.4 GB) …")
        subprocess.run([sys.executable, "-W", "ignore", "-m", "bench.engine_weights", checkpoint], check=True)
    for weights in ("int8", "fp32") if "onnx-fp32" in plan.kinds else ("int8",):
        if not (packs / weights).exists():
            say(f"Packing it as {weights} …")
            command = ["-m", "model_container.pack", checkpoint, packs / weights, "--weights", weights]
            subprocess.run([sys.executable, *map(str, command)], check=True)
    return checkpoint, packs


def measure_bandwidth() -> float:
    """Bytes a second that all threads together read from memory; the best of several tries."""
    arrays = [np.ones(1 << 26, np.float32) for _ in range(THREADS)]
    best = 0.0
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in range(8):
            began = time.perf_counter()
            list(pool.map(lambda array: np.dot(array, array), arrays))
            best = max(best, sum(array.nbytes for array in arrays) / (time.perf_counter() - began))
    return best


@contextmanager
def working(kind: str, checkpoint: Path, packs: Path) -> Iterator[Worker]:
    worker = Worker(kind, checkpoint, packs)
    try:
        yield worker
    finally:
        worker.close()


def _measure(workers: dict[str, Worker], position: int, plan: Plan) -> dict[str, list[float]]:
    """Seconds a step, one value a round, of every engine; the first steps after a seek are not counted."""
    times: dict[str, list[float]] = {kind: [] for kind in workers}
    for worker in workers.values():
        worker.ask(f"seek {position}")
        worker.ask("play 2")
    for _ in range(plan.rounds):
        for kind, worker in workers.items():
            times[kind].append(worker.ask(f"play {plan.steps}")["seconds"] / plan.steps)
    for kind, values in times.items():
        say(f"{kind:18} position {position:5}: {Spread.of(values).times(1e3)} ms a step")
    return times


def _ratio(times: Times, kind: str) -> list[float]:
    """[middle, lowest, highest] over rounds of how much longer this kind takes, summed over the positions."""
    theirs, ours = (sum(np.array(at[name]) for at in times.values()) for name in (kind, "native"))
    return Spread.of((np.asarray(theirs) / np.asarray(ours)).tolist()).rounded()


def _milliseconds(times: dict[str, list[float]]) -> dict[str, list[float]]:
    return {kind: Spread.of(values).times(1e3).rounded() for kind, values in times.items()}


def _error(ours: Worker, reference: Worker) -> float:
    """Root mean square of the logits' difference, relative to their spread, on the same given tokens."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{name}.npy" for name in ("ours", "reference")]
        for worker, file in zip((ours, reference), files, strict=True):
            worker.ask(f"logits 50 {file}")
        logits, expected = (np.load(file) for file in files)
    return float(np.sqrt(np.mean((logits - expected) ** 2)) / expected.std())


if __name__ == "__main__":
    main()
