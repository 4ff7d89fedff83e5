"""What composing and mastering cost: CPU seconds per second of audio, stage by stage, and peak memory.

Each round is a process of its own, as one invocation of a fresh conductor would be, without its start. The
stages are those of lambdas/audio/mastering.py, in its order, on a song of the mock composer; `mp3` and `ogg`
hold their tries, each with its decoding and measuring. `master` is the same song through Mastering at once.
Stages are [median, min, max] over the rounds; peak_mb is the largest resident size of a round.
"""

import statistics
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from bench.report import Spread, conclude, parser, say

STAGES = (
    *("compose", "decode", "analyse", "level", "wav", "flac", "level_for_codecs", "mp3", "ogg"),
    *("sign", "peaks", "master", "total_wall"),
)


def main() -> None:
    arguments = parser("audio", __doc__)
    arguments.add_argument("--seconds", type=float, nargs="+", default=[30.0, 300.0], help="lengths of songs")
    arguments.add_argument("--rounds", type=int, default=5)
    chosen = arguments.parse_args()
    if chosen.quick:
        chosen.seconds, chosen.rounds = [2.0], 1
    conclude({f"{seconds:g}_s": measure(seconds, chosen.rounds) for seconds in chosen.seconds})


def measure(seconds: float, rounds: int) -> dict[str, object]:
    say(f"{seconds:g} s of audio, {rounds} rounds (CPU milliseconds per second of audio):")
    samples = [_in_own_process(seconds, nth) for nth in range(rounds)]
    spreads = {stage: Spread.of([sample[stage] / seconds for sample in samples]) for stage in STAGES}
    for stage, spread in spreads.items():
        say(f"  {stage:17} {spread.times(1000)}")
    say(f"  peak memory       {Spread.of([sample['peak_mb'] for sample in samples])} MB")
    return {
        "work_per_second": round(spreads["compose"].median + spreads["master"].median, 5),
        **{stage: spread.rounded(6) for stage, spread in spreads.items()},
        "peak_mb": round(statistics.median(sample["peak_mb"] for sample in samples)),
    }


def _in_own_process(seconds: float, nth: int) -> Mapping[str, float]:
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_work, seconds, nth).result()


def _work(seconds: float, nth: int) -> dict[str, float]:
    from bench.song import work  # loaded in the round's own process only, whose memory is measured

    return work(seconds, nth)


if __name__ == "__main__":
    main()
