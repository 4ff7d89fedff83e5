"""The api function beside its peer: cold import with first request, and warm CPU per request.

One interleaved run: ours, theirs, ours, theirs …, every sample in a process of its own, the first of each
thrown away (it fills the disk cache). AWS is a stub in a third process, the same for both.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping

from bench.cloud_stub import cloud_stub
from bench.report import Spread, say
from lambdas.settings import ApiSettings

OURS, THEIRS = "lambdas.api", "bench.peers.fastapi_app"
WAYS = ("import_cpu_ms", "cold_cpu_ms", "cold_wall_ms", "warm_cpu_ms")

Samples = Mapping[str, Mapping[str, list[float]]]  # module → measure → values


def compare(rounds: int, warm: int) -> dict[str, object]:
    """The figures of both sides: [median, min, max] each, and the ratios of the medians."""
    samples = _interleave(rounds, warm)
    spreads = {module: {way: Spread.of(samples[module][way]) for way in WAYS} for module in samples}
    for way in WAYS:
        say(f"  {way:14} ours {spreads[OURS][way]}   FastAPI + Mangum {spreads[THEIRS][way]}")
    figures: dict[str, object] = {
        f"{name}_{way}": spreads[module][way].rounded()
        for module, name in ((OURS, "ours"), (THEIRS, "fastapi"))
        for way in WAYS
    }
    return figures | {
        "cold_ratio_vs_fastapi": _ratio(spreads, "cold_cpu_ms"),
        "cold_wall_ratio_vs_fastapi": _ratio(spreads, "cold_wall_ms"),
        "warm_cpu_ratio_vs_fastapi": _ratio(spreads, "warm_cpu_ms"),
    }


def _interleave(rounds: int, warm: int) -> Samples:
    samples: dict[str, dict[str, list[float]]] = {
        module: {way: [] for way in WAYS} for module in (OURS, THEIRS)
    }
    with cloud_stub() as address:
        told = environment(address)
        for turn in range(rounds + 1):
            for module in (OURS, THEIRS):
                sample = _sample(module, warm, told)
                for way in WAYS if turn else ():
                    samples[module][way].append(sample[way])
    return samples


def _sample(module: str, warm: int, told: Mapping[str, str]) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.sample", module, str(warm)]
    said = subprocess.run(command, env=told, stdout=subprocess.PIPE, text=True, check=True).stdout
    sample: dict[str, float] = json.loads(said.splitlines()[-1])
    return sample


def _ratio(spreads: Mapping[str, Mapping[str, Spread]], way: str) -> float:
    return round(spreads[OURS][way].median / spreads[THEIRS][way].median, 3)


def environment(address: str) -> dict[str, str]:
    settings = ApiSettings(
        stage="bench",
        jobs_table="jobs",
        ledger_table="ledger",
        audio_bucket="audio",
        jobs_queue_url=f"{address}/000000000000/jobs",
        chains={"mock": ("mock",)},
    )
    return {
        **settings.to_env(),
        "PATH": os.environ.get("PATH", os.defpath),
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
    }
