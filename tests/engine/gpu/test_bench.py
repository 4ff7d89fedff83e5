"""The GPU's benchmark, at a tiny size wherever it runs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[3]
FIGURES = {
    "ratio_vs_transformers_fp16",
    "ms_per_step",
    "bandwidth_fraction",
    "music_s_per_s",
    "relative_rms",
    "attention",
    "songs",
}


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-m", "bench.engine_gpu", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)


def test_both_sides_compute_the_same_and_every_figure_is_there() -> None:
    done = bench("--quick")

    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])["tiny"]
    assert figures.keys() >= FIGURES
    assert figures["relative_rms"] < 0.01
    assert figures["attention"]["2"]["math"] is not None
    assert list(figures["songs"]) == ["1", "2"]
    assert all(songs["music_s_per_s"] > 0 for songs in figures["songs"].values())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_nothing_is_measured_and_that_is_said() -> None:
    done = bench()

    assert done.returncode == 2
    assert "no CUDA device" in done.stdout
