"""One side of the comparison, once: `python -m bench.sample MODULE WARM`, in a process that did nothing else.

Prints one JSON object: what importing the handler and answering the first request took, then one warm
request at the median of WARM. The clock starts where Lambda's does: the interpreter is up, nothing of the
function is loaded.
"""

import sys
import time


def main(module: str, warm: int) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    import importlib

    handler = importlib.import_module(module).handler
    imported = time.process_time()
    from bench.events import Context, post

    _expect(handler(post(0), Context()))
    cold_wall, cold_cpu = time.perf_counter() - wall, time.process_time() - cpu

    import statistics

    spent = []
    for nth in range(warm):
        event = post(nth + 1)
        before = time.process_time()
        answer = handler(event, Context())
        spent.append(time.process_time() - before)
        _expect(answer)
    return {
        "import_cpu_ms": 1e3 * (imported - cpu),
        "cold_cpu_ms": 1e3 * cold_cpu,
        "cold_wall_ms": 1e3 * cold_wall,
        "warm_cpu_ms": 1e3 * statistics.median(spent) if spent else 0.0,
    }


def _expect(answer: dict[str, object]) -> None:
    if answer["statusCode"] != 202:
        raise SystemExit(f"The request was answered with {answer}")


if __name__ == "__main__":
    measured = main(sys.argv[1], int(sys.argv[2]))
    import json

    print(json.dumps(measured))
