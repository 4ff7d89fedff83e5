"""Many submits at once on the emulated cloud: is any job lost or made twice, and how long do callers wait?

submitted  answers 202, each with an id of its own
completed  of those, jobs that ended with audio
lost       of those, jobs that had not ended when patience was over, or that ended without audio
doubled    jobs for which work was started or finished more than once: the row counts more than one attempt,
           or the conductor's log holds more than the two steps (start, finish) that a job of the mock takes
p95_s      95th percentile of a submit, seconds at the client, functions warm
"""

import json
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.report import conclude, parser, say
from local.cloud import LocalCloud

PATIENCE_SECONDS = 400
STEPS = 2  # of a job of the mock: start it, then fetch, master and store what it made
CONDUCTOR_LOGS = "ConductorLogs"
STEP = '"message":"step"'  # of the lines it logs, the one per step taken


@dataclass(frozen=True, slots=True)
class Submit:
    status: int
    job_id: str
    seconds: float


def main() -> None:
    arguments = parser("load", __doc__)
    arguments.add_argument("--submits", type=int, default=200)
    arguments.add_argument("--clients", type=int, default=16)
    arguments.add_argument("--duration", type=float, default=1, help="seconds of audio per job")
    chosen = arguments.parse_args()
    if chosen.quick:
        chosen.submits, chosen.clients = 6, 2
    with tempfile.TemporaryDirectory() as folder, LocalCloud(Path(folder), say=say) as cloud:
        conclude(load(cloud, chosen.submits, chosen.clients, chosen.duration))


def load(cloud: LocalCloud, submits: int, clients: int, duration: float) -> dict[str, object]:
    limits = httpx.Limits(max_connections=clients)
    with (
        httpx.Client(timeout=120, trust_env=False, limits=limits) as client,
        ThreadPoolExecutor(clients) as pool,
    ):
        say(f"Warming {clients} clients' functions …")
        list(pool.map(lambda _: client.get(f"{cloud.api_url}/health"), range(2 * clients)))
        say(f"{submits} submits from {clients} clients …")
        started = time.perf_counter()
        requests = [_request(nth, duration) for nth in range(submits)]
        made = list(pool.map(lambda request: _submit(client, cloud, request), requests))
        submitting = time.perf_counter() - started
    accepted = {submit.job_id for submit in made if submit.status == 202}
    rows = _ended(cloud, accepted, started + PATIENCE_SECONDS)
    ended = time.perf_counter() - started
    say(f"  submitted in {submitting:.1f} s, all ended after {ended:.1f} s")
    return _figures(made, rows, _steps(cloud)) | {
        "clients": clients,
        "duration_s": duration,
        "submitting_s": round(submitting, 2),
        "all_ended_s": round(ended, 2),
    }


def _request(nth: int, duration: float) -> dict[str, Any]:
    return {"prompt": f"calm piano, number {nth}", "duration": duration, "seed": nth}


def _submit(client: httpx.Client, cloud: LocalCloud, request: dict[str, Any]) -> Submit:
    started = time.perf_counter()
    answer = client.post(f"{cloud.api_url}/generate", json=request)
    seconds = time.perf_counter() - started
    return Submit(answer.status_code, answer.json().get("job_id", ""), seconds)


def _ended(cloud: LocalCloud, wanted: set[str], until: float) -> dict[str, dict[str, Any]]:
    """The job documents, once every one has ended or patience is over."""
    while True:
        documents = {job_id: row for job_id, row in _rows(cloud).items() if job_id in wanted}
        pending = [each for each in documents.values() if each["status"] in ("queued", "processing")]
        if (len(documents) == len(wanted) and not pending) or time.perf_counter() > until:
            return documents
        time.sleep(1)


def _rows(cloud: LocalCloud) -> dict[str, dict[str, Any]]:
    pages = cloud.client("dynamodb").get_paginator("scan").paginate(TableName=cloud.outputs["TableName"])
    return {
        row["job_id"]["S"]: {**json.loads(row["document"]["S"]), "status": row["status"]["S"]}
        for page in pages
        for row in page["Items"]
    }


def _steps(cloud: LocalCloud) -> Counter[str]:
    """Steps taken, by job, from what the conductor logged."""
    logs = cloud.client("logs")
    groups = logs.describe_log_groups()["logGroups"]
    group = next(each["logGroupName"] for each in groups if CONDUCTOR_LOGS in each["logGroupName"])
    steps: Counter[str] = Counter()
    for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group):
        for event in page["events"]:
            for line in event["message"].splitlines():
                if STEP in line:
                    steps[json.loads(line)["job_id"]] += 1
    return steps


def _figures(
    made: Sequence[Submit], rows: dict[str, dict[str, Any]], steps: Counter[str]
) -> dict[str, object]:
    accepted = {submit.job_id for submit in made if submit.status == 202}
    completed = {job_id for job_id in accepted if rows.get(job_id, {}).get("status") == "completed"}
    again = {job_id for job_id, row in rows.items() if row.get("attempt", 0) > 1 or steps[job_id] > STEPS}
    seconds = sorted(submit.seconds for submit in made)
    return {
        "submitted": len(accepted),
        "refused": sum(submit.status != 202 for submit in made),
        "completed": len(completed),
        "lost": len(accepted - completed),
        "doubled": len(again),
        "steps_logged": sum(steps[job_id] for job_id in accepted),
        "p50_s": round(statistics.median(seconds), 3),
        "p95_s": round(seconds[int(0.95 * (len(seconds) - 1))], 3),
        "max_s": round(seconds[-1], 3),
    }


if __name__ == "__main__":
    main()
