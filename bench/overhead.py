"""Jobs through HTTP on the emulated cloud, one after the other: how long the service takes beside the music.

The clock starts before the client's POST and stops at the moment that the finished row names; both are this
machine's. Progress is watched in the table, so that no function runs for the watching.
"""

import json
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from bench.journey import UNCACHED
from local.cloud import LocalCloud

WATCH_SECONDS = 0.02
PATIENCE_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Trip:
    """One job. Seconds; `model_s` and `mastering_s` as the job tells them, hops within them included."""

    job_id: str
    submit_s: float
    total_s: float
    model_s: float
    mastering_s: float


def trip(cloud: LocalCloud, client: httpx.Client, request: dict[str, Any]) -> Trip:
    started, clock = time.time(), time.perf_counter()
    answer = client.post(f"{cloud.api_url}/generate", json=request, headers=UNCACHED)
    submitted = time.perf_counter() - clock
    if answer.status_code != 202:
        raise SystemExit(f"POST /generate answered {answer.status_code}: {answer.text}")
    job_id = answer.json()["job_id"]
    done = _finished(cloud, job_id, clock + PATIENCE_SECONDS)
    ended = datetime.fromisoformat(done["completed_at"]).timestamp()
    timings = done["timings"]
    return Trip(job_id, submitted, ended - started, timings["model_s"], timings["mastering_s"])


def _finished(cloud: LocalCloud, job_id: str, until: float) -> dict[str, Any]:
    table, client = cloud.outputs["TableName"], cloud.client("dynamodb")
    while time.perf_counter() < until:
        row = client.get_item(TableName=table, Key={"job_id": {"S": job_id}})["Item"]
        if row["status"]["S"] == "completed":
            document: dict[str, Any] = json.loads(row["document"]["S"])
            return document
        if row["status"]["S"] in ("failed", "canceled"):
            raise SystemExit(f"Job {job_id} ended as {row['status']['S']}.")
        time.sleep(WATCH_SECONDS)
    raise SystemExit(f"Job {job_id} did not end within {PATIENCE_SECONDS} s.")
