"""One side of the comparison: `python -m bench.sample MODULE`, in a process that did nothing else before.

Imports the handler, answers a first request and prints one JSON line of what that took. Then, for every
number that it reads, answers so many warm requests and prints the CPU milliseconds of each. The clock starts
where Lambda's does: the interpreter is up, nothing of the function is loaded.
"""

import sys
import time


def cold(module: str) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    import importlib

    handler = importlib.import_module(module).handler
    imported = time.process_time()
    from bench.events import Context, post

    _expect(handler(post(0), Context()))
    return {
        "import_cpu_ms": 1e3 * (imported - cpu),
        "cold_cpu_ms": 1e3 * (time.process_time() - cpu),
        "cold_wall_ms": 1e3 * (time.perf_counter() - wall),
    }


def warm(module: str, requests: int) -> list[float]:
    from bench.events import Context, post

    handler, spent = sys.modules[module].__dict__["handler"], []
    for nth in range(requests):
        event = post(nth)
        before = time.process_time()
        answer = handler(event, Context())
        spent.append(1e3 * (time.process_time() - before))
        _expect(answer)
    return spent


def _expect(answer: dict[str, object]) -> None:
    if answer["statusCode"] != 202:
        raise SystemExit(f"The request was answered with {answer}")


def _tell(measured: object) -> None:
    import json

    print(json.dumps({"measured": measured}), flush=True)


if __name__ == "__main__":
    _tell(cold(sys.argv[1]))
    for line in sys.stdin:
        _tell(warm(sys.argv[1], int(line)))
