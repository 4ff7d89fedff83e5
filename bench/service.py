"""What the service itself costs: cold start and CPU beside a FastAPI peer, overhead, AWS calls, dollars.

(a) `POST /generate` of the api function and of the same endpoint written with FastAPI and Mangum, in one
    interleaved run: importing the function and answering its first request in a fresh process
    (cold_ratio_vs_fastapi, of CPU times), and CPU time per warm request (warm_cpu_ratio_vs_fastapi).
    Each measure is [median, min, max], in milliseconds.
(b) Whole jobs on the emulated cloud, warm. overhead_s: POST to completed, less composing and mastering
    of the same piece alone, right after. overhead_by_timings_s: less the job's own model_s and mastering_s,
    which hold hops and storing too. lambda_ms_per_job, aws_calls_per_job: the same handlers in this process,
    every call counted: one POST, every step of the conductor, one GET of the finished job.
    usd_per_job: what follows, by component, without any free tier.
"""

import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from bench import prices
from bench.handlers import compare
from bench.journey import Journey, Stage, paused
from bench.overhead import Trip, trip
from bench.report import Spread, conclude, parser, say
from local.cloud import LocalCloud

WARM_UP = 2  # jobs


def main() -> None:
    arguments = parser("service", __doc__)
    arguments.add_argument("--rounds", type=int, default=12, help="interleaved samples of either side")
    arguments.add_argument("--warm", type=int, default=300, help="warm requests per sample")
    arguments.add_argument("--jobs", type=int, default=10, help="whole jobs")
    arguments.add_argument("--duration", type=float, default=30, help="seconds of audio per job")
    chosen = arguments.parse_args()
    if chosen.quick:
        chosen.rounds, chosen.warm, chosen.jobs, chosen.duration = 1, 10, 1, 1
    say(f"POST /generate beside FastAPI + Mangum, {chosen.rounds} interleaved rounds (milliseconds):")
    figures = compare(chosen.rounds, chosen.warm)
    figures |= whole_jobs(chosen.jobs, chosen.duration)
    conclude(figures)


def whole_jobs(count: int, duration: float) -> dict[str, object]:
    say(f"Whole jobs of {duration:g} s on the emulated cloud:")
    with tempfile.TemporaryDirectory() as folder, LocalCloud(Path(folder), say=say) as cloud:
        stage = Stage(cloud)
        trips, music = _trips(cloud, stage, count, duration)
        with paused(cloud):
            journeys = [stage.travel(_request(nth, duration)) for nth in range(WARM_UP + count)][WARM_UP:]
    return _overhead(trips, music) | _price(journeys)


def _request(nth: int, duration: float) -> dict[str, Any]:
    return {
        "prompt": f"upbeat electronic dance music, take {nth}",
        "duration": duration,
        "genre": "electronic",
        "seed": nth,
    }


def _trips(
    cloud: LocalCloud, stage: Stage, count: int, duration: float
) -> tuple[Sequence[Trip], Sequence[float]]:
    """Each job through the cloud, and right after it its music alone: both meet the same busy machine."""
    trips, music = [], []
    with httpx.Client(timeout=60, trust_env=False) as client:
        for nth in range(WARM_UP + count):
            trips.append(trip(cloud, client, _request(nth, duration)))
            music.append(stage.music(trips[-1].job_id))
    return trips[WARM_UP:], music[WARM_UP:]


def _overhead(trips: Sequence[Trip], music: Sequence[float]) -> dict[str, object]:
    alone = Spread.of([each.total_s - made for each, made in zip(trips, music, strict=True)])
    told = Spread.of([each.total_s - each.model_s - each.mastering_s for each in trips])
    say(f"  POST to completed        {Spread.of([each.total_s for each in trips])} s")
    say(f"  composing and mastering  {Spread.of(music)} s")
    return {
        "overhead_s": round(alone.median, 3),
        "overhead_spread_s": alone.rounded(),
        "overhead_by_timings_s": told.rounded(),
        "submit_s": Spread.of([each.submit_s for each in trips]).rounded(),
        "post_to_completed_s": Spread.of([each.total_s for each in trips]).rounded(),
        "compose_and_master_s": Spread.of(music).rounded(),
    }


def _price(journeys: Sequence[Journey]) -> dict[str, object]:
    typical = journeys[-1]
    usd = {name: statistics.mean(each.meter.usd[name] for each in journeys) for name in typical.meter.usd}
    for call, times in typical.meter.calls.most_common():
        say(f"  {times:2} × {call}")
    for name, dollars in sorted(usd.items(), key=lambda entry: -entry[1]):
        say(f"  ${dollars:.7f}  {name}")
    wav = typical.wav_gigabytes * prices.TRANSFER_GB
    say(f"  ${wav:.7f}  the WAV sent to a listener once, beyond the free 100 GB a month")
    return {
        "lambda_ms_per_job": round(statistics.median(each.lambda_ms for each in journeys), 1),
        "lambda_ms_spread": Spread.of([each.lambda_ms for each in journeys]).rounded(),
        "lambda_ms_without_music": Spread.of(
            [each.lambda_ms - 1e3 * each.music_s for each in journeys]
        ).rounded(),
        "invocations_per_job": len(typical.api_ms) + len(typical.conductor_ms),
        "aws_calls_per_job": typical.meter.calls.total(),
        "aws_calls": dict(typical.meter.calls),
        "usd_per_job": {name: round(value, 9) for name, value in usd.items()},
        "usd_per_job_total": round(sum(usd.values()), 9),
        "usd_per_wav_download": round(wav, 9),
    }


if __name__ == "__main__":
    main()
