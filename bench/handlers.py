"""The api function beside its peer: cold import with first request, and warm CPU per request.

One interleaved run. A round starts ours and theirs, each in a fresh process for its cold sample, then lets
the two take turns at small batches of warm requests, so that both meet the same busy machine. The first
round is thrown away: it fills the disk cache. AWS is a stub in a third process, the same for both.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from bench.cloud_stub import cloud_stub
from bench.report import Spread, say
from lambdas.settings import ApiSettings

OURS, THEIRS = "lambdas.api", "bench.peers.fastapi_app"
COLD = ("import_cpu_ms", "cold_cpu_ms", "cold_wall_ms")
WARM = "warm_cpu_ms"
BATCH = 10  # requests

Samples = dict[str, dict[str, list[float]]]  # module → measure → values


def compare(rounds: int, warm: int) -> dict[str, object]:
    """The figures of both sides: [median, min, max] each, and the ratios of the medians.

    The warm ratio is the median over pairs of neighbouring batches, which saw the same machine.
    """
    samples = _interleave(rounds, warm)
    spreads = {
        module: {way: Spread.of(values) for way, values in samples[module].items()} for module in samples
    }
    for way in (*COLD, WARM):
        say(f"  {way:14} ours {spreads[OURS][way]}   FastAPI + Mangum {spreads[THEIRS][way]}")
    figures: dict[str, object] = {
        f"{name}_{way}": spreads[module][way].rounded()
        for module, name in ((OURS, "ours"), (THEIRS, "fastapi"))
        for way in (*COLD, WARM)
    }
    return figures | {
        "cold_ratio_vs_fastapi": _ratio(spreads, "cold_cpu_ms"),
        "cold_wall_ratio_vs_fastapi": _ratio(spreads, "cold_wall_ms"),
        "warm_cpu_ratio_vs_fastapi": round(_paired_ratio(samples), 3),
    }


def _interleave(rounds: int, warm: int) -> Samples:
    samples: Samples = {module: {way: [] for way in (*COLD, WARM)} for module in (OURS, THEIRS)}
    with cloud_stub() as address:
        for turn in range(rounds + 1):
            with ExitStack() as running:
                sides = {each: running.enter_context(Side(each, address)) for each in samples}
                for module, side in sides.items():
                    for way in COLD if turn else ():
                        samples[module][way].append(side.cold[way])
                for _ in range(warm // BATCH):
                    for module, side in sides.items():
                        spent = side.warm(BATCH)
                        samples[module][WARM] += spent if turn else []
    return samples


class Side:
    """A running bench.sample."""

    def __init__(self, module: str, address: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.sample", module],
            env=environment(address),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.cold: dict[str, float] = self._hear()

    def __enter__(self) -> "Side":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def warm(self, requests: int) -> list[float]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{requests}\n")
        self._process.stdin.flush()
        spent: list[float] = self._hear()
        return spent

    def _hear(self) -> Any:
        """What it measured; the lines between are what its handler logged."""
        for line in self._process.stdout or ():
            if line.startswith('{"measured"'):
                return json.loads(line)["measured"]
        raise SystemExit("A side of the comparison ended early; what it said is above.")


def _ratio(spreads: Mapping[str, Mapping[str, Spread]], way: str) -> float:
    return round(spreads[OURS][way].median / spreads[THEIRS][way].median, 3)


def _paired_ratio(samples: Samples) -> float:
    ours, theirs = (_batch_medians(samples[module][WARM]) for module in (OURS, THEIRS))
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))


def _batch_medians(spent: list[float]) -> list[float]:
    return [statistics.median(spent[start : start + BATCH]) for start in range(0, len(spent), BATCH)]


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
