"""Each benchmark runs at a tiny size and ends with one JSON object that holds what it promises."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import events, handlers
from bench.cloud_stub import cloud_stub

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 240

PEER = {"cold_ratio_vs_fastapi", "cold_wall_ratio_vs_fastapi", "warm_cpu_ratio_vs_fastapi"}
JOBS = {
    "overhead_s",
    "lambda_ms_per_job",
    "aws_calls_per_job",
    "aws_calls",
    "usd_per_job",
    "usd_per_job_total",
}
SONG = {"port_calls", "aws_calls", "steps", "core_ms", "lambda_ms", "usd"}
LOAD = {"submitted", "refused", "completed", "lost", "doubled", "p95_s"}
STAGES = {"compose", "decode", "analyse", "level", "wav", "flac", "mp3", "ogg", "sign", "peaks", "master"}

ASK = """
import importlib, json, sys
from bench import events
handler = importlib.import_module(sys.argv[1]).handler
print(json.dumps(handler(events.post(0, json.loads(sys.argv[2])), events.Context())))
"""

on_the_cloud = pytest.mark.xdist_group("cloud")  # one emulated cloud at a time


def bench(name: str, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", f"bench.{name}", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


@on_the_cloud
def test_the_service_is_measured_beside_its_peer_and_job_by_job() -> None:
    figures = bench("service", "--quick")

    assert figures.keys() >= PEER | JOBS
    assert figures["aws_calls_per_job"] == sum(figures["aws_calls"].values()) > 0
    assert figures["usd_per_job_total"] == pytest.approx(sum(figures["usd_per_job"].values()), abs=1e-8)


@on_the_cloud
def test_no_job_of_a_small_load_is_lost_or_made_twice() -> None:
    figures = bench("load", "--quick")

    assert figures.keys() >= LOAD
    assert (figures["submitted"], figures["refused"], figures["completed"]) == (6, 0, 6)
    assert (figures["lost"], figures["doubled"]) == (0, 0)
    assert figures["steps_logged"] == 12


def test_every_stage_of_a_song_is_measured() -> None:
    figures = bench("audio", "--quick")

    song = figures["2_s"]
    assert song.keys() >= STAGES | {"work_per_second", "peak_mb"}
    assert all(low <= median <= high for median, low, high in (song[stage] for stage in STAGES))


def test_a_chain_of_hosts_is_weighed_by_the_song_and_by_the_day() -> None:
    figures = bench("chain", "--quick")

    for song in (figures["overhead_30_s"], figures["overhead_300_s"]):
        assert song["at_once"].keys() == song["chain"].keys() >= SONG
        assert 0 < song["at_once"]["aws_calls"] < song["chain"]["aws_calls"] < song["chain"]["port_calls"]
    assert figures["overhead_300_s"]["chain"]["steps"] > figures["overhead_30_s"]["chain"]["steps"]
    naive, alone, fallback, chain = (figures["day"][name] for name in ("naive", "alone", "fallback", "chain"))
    assert naive["completed_share"] < fallback["completed_share"] == chain["completed_share"] == 1
    assert chain["calls_into_the_void"] < fallback["calls_into_the_void"]
    assert naive["opened"] == fallback["opened"] == 0 < min(alone["opened"], chain["opened"])
    assert set(naive["by_host"]) == {"sagemaker"} < set(chain["by_host"])


@pytest.mark.parametrize("name", ["service", "load", "audio", "chain"])
def test_a_benchmark_explains_itself(name: str) -> None:
    told = subprocess.run(
        [sys.executable, "-m", f"bench.{name}", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "--quick" in told.stdout


def test_the_peer_answers_as_the_api_function_does(cloud: str) -> None:
    ours, theirs = (answer(module, events.PROMPT, cloud) for module in (handlers.OURS, handlers.THEIRS))

    assert ours["statusCode"] == theirs["statusCode"] == 202
    assert fields(ours) == fields(theirs)
    assert {"parameters", "urls", "queue_position"} <= fields(ours)


@pytest.mark.parametrize("fault", [{"duration": -1}, {"prompt": "x" * 501}, {"prompt": "x", "tempo": 90}])
def test_the_peer_refuses_as_the_api_function_does(cloud: str, fault: dict[str, Any]) -> None:
    ours, theirs = (answer(module, fault, cloud) for module in (handlers.OURS, handlers.THEIRS))

    assert ours["statusCode"] == theirs["statusCode"] == 422
    assert fields(ours) == fields(theirs)
    assert pointers(ours) == pointers(theirs) != []


@pytest.fixture(scope="module")
def cloud() -> Iterator[str]:
    with cloud_stub() as address:
        yield address


def answer(module: str, request: dict[str, Any], cloud: str) -> dict[str, Any]:
    """What one side answers, in a process of its own, as the benchmark runs it."""
    done = subprocess.run(
        [sys.executable, "-c", ASK, module, json.dumps(request)],
        cwd=ROOT,
        env=handlers.environment(cloud),
        capture_output=True,
        text=True,
        check=True,
    )
    answered: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answered


def fields(answered: dict[str, Any]) -> set[str]:
    return set(json.loads(answered["body"]))


def pointers(answered: dict[str, Any]) -> list[str]:
    return [fault["pointer"] for fault in json.loads(answered["body"])["errors"]]
