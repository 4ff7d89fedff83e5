"""What the chain of hosts costs a job, and what it is worth on a day when a host comes and goes.

(a) One song of 30 s and one of 300 s, the real core over ports in memory, each call counted and priced as
    its adapter makes it: `at_once` on a host that makes it in one go and costs nothing, `chain` on one that
    charges and makes 30 s at a time (breakers, budgets, segments). core_ms is CPU time of submitting and of
    every step here; lambda_ms adds CALL_MS for each call to AWS, which is an assumption.
(b) A day of 10 000 songs of 30 s at random moments, the same for all, through the real core on a virtual
    clock. The first host is up for 50 minutes and down for 10 on average, work in progress is lost; the
    second boots for 40 s, costs more, and breaks one work in fifty.
      naive     the first host alone: three tries with backoff, no breaker
      alone     the first host alone, with its breaker: jobs wait until it is back
      fallback  both hosts, no breaker
      chain     both hosts, breakers as a stage has them
    usd holds what hosts charge, failed works included, and what functions cost while they wait for a host
    that does not answer; usd_aws the calls and steps.
"""

import random
import statistics
import time as clocks
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from bench import prices
from bench.day import CONNECT_S, DAY, Day, Host, Outcome, flapping
from bench.report import conclude, parser, say
from lambdas.core.breaking import Policy
from lambdas.core.jobs import Status
from lambdas.core.prices import PRICES
from tests.fakes.stores import Time

CALL_MS = 8.0  # a call to a service of the same region, as a rule of thumb
CONDUCTOR_MB = 2048
NEVER = Policy(failures=1_000_000_000)
ROW_WRITE = 5 * prices.DYNAMODB_WRITE  # 2 KB in the table and the owners' index, and the index of pending
OWN_HOST = PRICES["sagemaker"]["ml.g5.xlarge"]
REPLICATE = PRICES["replicate"]["a100-80gb"]
CALLS: Mapping[str, float] = {
    "jobs.get": prices.DYNAMODB_READ,
    "jobs.insert": ROW_WRITE,
    "jobs.replace": ROW_WRITE,
    "jobs.remove": ROW_WRITE,
    "ledger.get": prices.DYNAMODB_READ,
    "ledger.put": prices.DYNAMODB_WRITE,
    "ledger.claim": prices.DYNAMODB_WRITE,
    "ledger.add": 3 * 2 * prices.DYNAMODB_WRITE,  # a transaction costs twice: a marker and two sums
    "queue.send": 3 * prices.SQS_REQUEST,  # sent, received, deleted
    "queue.send_all": 3 * prices.SQS_REQUEST,
    "deliveries.send": 3 * prices.SQS_REQUEST,
    "objects.read": prices.S3_GET,
    "objects.write": prices.S3_PUT,
    "objects.remove": 0.0,
}
"""Ports' calls that ask something of AWS, and what each is billed."""


def main() -> None:
    arguments = parser("chain", __doc__)
    arguments.add_argument("--jobs", type=int, default=10_000)
    chosen = arguments.parse_args()
    count = 200 if chosen.quick else chosen.jobs
    figures: dict[str, object] = {"call_ms_assumed": CALL_MS}
    for duration in (30.0, 300.0):
        figures[f"overhead_{duration:g}_s"] = overhead(duration)
    say(f"A day of {count} songs:")
    figures["day"] = {name: day(count, *kind) for name, kind in DAYS.items()}
    conclude(figures)


DAYS: Mapping[str, tuple[tuple[str, ...], Policy]] = {
    "naive": (("sagemaker",), NEVER),
    "alone": (("sagemaker",), Policy()),
    "fallback": (("sagemaker", "replicate"), NEVER),
    "chain": (("sagemaker", "replicate"), Policy()),
}


@dataclass(frozen=True, slots=True)
class Song:
    calls: Counter[str]  # of ports
    steps: int
    core_ms: float

    @property
    def aws_calls(self) -> int:
        return sum(self.calls[name] for name in CALLS)

    @property
    def lambda_ms(self) -> float:
        return self.core_ms + CALL_MS * self.aws_calls

    @property
    def usd(self) -> float:
        """Functions and calls; what the host charges is another matter."""
        invoked = self.steps * prices.LAMBDA_REQUEST
        return _aws_usd(self.calls) + prices.lambda_usd(self.lambda_ms, CONDUCTOR_MB) + invoked

    def told(self) -> dict[str, object]:
        return {
            "port_calls": self.calls.total(),
            "aws_calls": self.aws_calls,
            "steps": self.steps,
            "core_ms": round(self.core_ms, 2),
            "lambda_ms": round(self.lambda_ms, 1),
            "usd": round(self.usd, 7),
        }


def overhead(duration: float) -> dict[str, object]:
    """One song made at once and free, and by the whole chain."""
    plain, chain = song("container", duration), song("replicate", duration)
    say(f"One song of {duration:g} s, at once and by the chain:")
    for name in sorted({*plain.calls, *chain.calls}):
        say(f"  {plain.calls[name]:3} {chain.calls[name]:3}  {name}")
    return {"at_once": plain.told(), "chain": chain.told()}


def song(host: str, duration: float) -> Song:
    time, hosts = _hosts()
    day = Day((host, "container"), Policy(), hosts, time)
    began = clocks.process_time()
    outcome = day.live([time()], duration)
    core_ms = 1e3 * (clocks.process_time() - began)
    (job,) = outcome.jobs
    if job.status is not Status.COMPLETED:
        raise SystemExit(f"The song of {duration:g} s ended as {job.status}.")
    return Song(outcome.calls, outcome.steps, core_ms)


def _hosts() -> tuple[Time, dict[str, Host]]:
    time, chance = Time(), random.Random(1)
    turns = flapping(time(), chance, 3000.0, 600.0)
    return time, {
        "container": Host(time, chance, 0.0, 24.0, longest=300.0),
        "sagemaker": Host(time, chance, OWN_HOST, 24.0, turns=turns),
        "replicate": Host(time, chance, REPLICATE, 24.0, boot_s=40.0, faulty=0.02),
    }


def day(count: int, chain: tuple[str, ...], policy: Policy) -> dict[str, object]:
    time, hosts = _hosts()
    chance = random.Random(2)
    arrivals = sorted(time() + timedelta(seconds=chance.uniform(0, DAY)) for _ in range(count))
    began = clocks.perf_counter()
    outcome = Day(chain, policy, hosts, time).live(arrivals, 30.0)
    told = _told(outcome)
    say(f"  {' + '.join(chain)}, {clocks.perf_counter() - began:.0f} s here: {told}")
    return told


def _told(outcome: Outcome) -> dict[str, object]:
    done = [job for job in outcome.jobs if job.status is Status.COMPLETED]
    seconds = sorted(
        (job.completed_at - job.created_at).total_seconds() for job in done if job.completed_at is not None
    )
    blocked = sum(host.calls["unanswered"] for host in outcome.hosts.values())
    waiting = prices.lambda_usd(1e3 * CONNECT_S * blocked, CONDUCTOR_MB)
    charged = sum(job.cost.actual_usd or 0.0 for job in outcome.jobs)
    return {
        "completed_share": round(len(done) / len(outcome.jobs), 5),
        "p50_s": round(statistics.median(seconds), 1),
        "p95_s": round(_percentile(seconds, 0.95), 1),
        "p99_s": round(_percentile(seconds, 0.99), 1),
        "usd": round(charged + waiting, 2),
        "usd_per_completed": round((charged + waiting) / len(done), 6),
        "usd_aws": round(_aws_usd(outcome.calls), 2),
        "calls_into_the_void": blocked,
        "opened": outcome.told["BreakersOpened"],
        "by_host": dict(Counter(job.backend for job in done)),
    }


def _percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _aws_usd(calls: Mapping[str, int]) -> float:
    return sum(usd * calls.get(name, 0) for name, usd in CALLS.items())


if __name__ == "__main__":
    main()
