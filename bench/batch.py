"""Throughput of the engine with 1, 2, 4 and 8 songs at a time, beside transformers with the same batch.

One step reads the weights once for all songs, so songs at a time cost less each; keys and values and the
arithmetic are each song's own. Random weights of musicgen-small's architecture, as in the engine's bench.
"""

from contextlib import ExitStack

from bench.engine import Plan, Worker, prepare, working
from bench.report import Spread, conclude, parser, say

FRAME_RATE = 50  # columns of tokens in a second of music
POSITION = 200  # columns: four seconds; to get further takes transformers minutes
SIZES = (1, 2, 4, 8)
FULL = Plan(("native", "transformers-fp32", "transformers-bf16"), (POSITION,), 3, 8, 0.0)
QUICK = Plan(("native", "transformers-fp32"), (20,), 2, 3, 0.0)

Rates = dict[int, dict[str, list[float]]]  # songs → kind → seconds of music a second, one a round


def main() -> None:
    quick = parser("batch", __doc__).parse_args().quick
    plan, sizes = (QUICK, (1, 2)) if quick else (FULL, SIZES)
    checkpoint, packs = prepare(plan)
    with ExitStack() as stack:
        workers = {kind: stack.enter_context(working(kind, checkpoint, packs)) for kind in plan.kinds}
        rates = {songs: _measure(workers, songs, plan) for songs in sizes}
    conclude(_figures(rates, plan))


def _measure(workers: dict[str, Worker], songs: int, plan: Plan) -> dict[str, list[float]]:
    """Seconds of music that all songs together gain in a second, in turns."""
    for worker in workers.values():
        worker.ask(f"seek {plan.positions[0]} {songs}")
        worker.ask("play 1")
    rates: dict[str, list[float]] = {kind: [] for kind in workers}
    for _ in range(plan.rounds):
        for kind, worker in workers.items():
            seconds = worker.ask(f"play {plan.steps}")["seconds"]
            rates[kind].append(songs * plan.steps / FRAME_RATE / seconds)
    for kind, values in rates.items():
        say(f"{kind:18} {songs} songs: {Spread.of(values)} seconds of music a second, EnCodec not included")
    return rates


def _figures(rates: Rates, plan: Plan) -> dict[str, object]:
    ours = {songs: at["native"] for songs, at in rates.items()}
    peers = [kind for kind in plan.kinds if kind != "native"]
    return {
        "music_seconds_per_second": {str(songs): Spread.of(at).rounded() for songs, at in ours.items()},
        "ratio_to_one_song": {str(songs): _ratio(at, ours[1]) for songs, at in ours.items()},
        **{
            f"ratio_vs_{peer.replace('-', '_')}": {
                str(songs): _ratio(at["native"], at[peer]) for songs, at in rates.items()
            }
            for peer in peers
        },
    }


def _ratio(ours: list[float], theirs: list[float]) -> list[float]:
    return Spread.of([a / b for a, b in zip(ours, theirs, strict=True)]).rounded()


if __name__ == "__main__":
    main()
