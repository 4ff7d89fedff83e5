"""The two-track pipeline, samples to samples, by stage: ours against the same written plainly in PyTorch.

Both with random weights of the published sizes, in turns, each in a process of its own. Then the server: from
its start to its first healthy ping, and a clip over HTTP with the memory that it takes.
Needs model_container/requirements-dev.txt. On a machine with a GPU both sides run on it.
"""

import http.server
import io
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import urllib3

from bench.cascade_sides import RATE, SIDES, STAGES, tracks
from bench.report import Spread, conclude, parser, say

FOLDER = Path(".local/bench/cascade")
CLIP, QUICK_CLIP = 16.0, 2.0  # seconds
PATIENCE = 120.0


def main() -> None:
    quick = parser("cascade", __doc__).parse_args().quick
    rounds, seconds = (1, QUICK_CLIP) if quick else (7, CLIP)
    prepare()
    times, memory = _measure(rounds, seconds)
    for side, stages in times.items():
        told = ", ".join(f"{stage} {Spread.of(values)}" for stage, values in stages.items())
        say(f"{side:8} {told} s; at most {memory[side]} MB")
    with _inputs(seconds) as address:
        served = [_serve(address, seconds) for _ in range(1 if quick else 5)]
    conclude(
        {
            "clip_s": seconds,
            "seconds": {side: _spreads(stages) for side, stages in times.items()},
            "ratio_vs_pytorch": _ratios(times),
            "peak_rss_mb": memory,
            "start_to_healthy_s": Spread.of([each["healthy"] for each in served]).rounded(),
            "http_clip_s": Spread.of([each["clip"] for each in served]).rounded(),
            "server_peak_rss_mb": max(each["peak"] for each in served),
            "server_idle_rss_mb": max(each["idle"] for each in served),
        }
    )


def prepare() -> None:
    """The random checkpoints and their pack; made once."""
    if not (FOLDER / "cascade.pt").exists():
        say("Making random checkpoints of the published sizes …")
        command = ["-W", "ignore", "-m", "bench.cascade_weights", str(FOLDER)]
        subprocess.run([sys.executable, *command], check=True)
    command = ["-m", "model_container.pack", str(FOLDER / "cascade.pt"), str(FOLDER / "packed")]
    subprocess.run([sys.executable, *command], check=True)


Times = dict[str, dict[str, list[float]]]  # side → stage → seconds, one a round


def _measure(rounds: int, seconds: float) -> tuple[Times, dict[str, int]]:
    """Both sides in turns; the first clip of either is not counted."""
    times: Times = {side: {stage: [] for stage in (*STAGES, "all")} for side in SIDES}
    memory: dict[str, int] = {}
    sides = {side: _Side(side) for side in SIDES}
    for turn in range(rounds + 1):
        for name, side in sides.items():
            told = side.clip(seconds)
            memory[name] = told["peak_rss_mb"]
            stages = told["stages"] | {"all": sum(told["stages"].values())}
            for stage, value in stages.items() if turn else ():
                times[name][stage].append(value)
    for side in sides.values():
        side.close()
    return times, memory


class _Side:
    def __init__(self, name: str) -> None:
        command = [sys.executable, "-W", "ignore", "-m", "bench.cascade_sides", name, str(FOLDER)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._answer()

    def clip(self, seconds: float) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"A side ended with {self._process.wait()}.")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _spreads(stages: dict[str, list[float]]) -> dict[str, list[float]]:
    return {stage: Spread.of(values).rounded() for stage, values in stages.items()}


def _ratios(times: Times) -> dict[str, list[float]]:
    """How many times longer PyTorch takes, round by round; the last stage does more with us."""
    return {
        stage: Spread.of((np.array(times["pytorch"][stage]) / np.array(values)).tolist()).rounded()
        for stage, values in times["ours"].items()
        if stage != "finish"
    }


@contextmanager
def _inputs(seconds: float) -> Iterator[str]:
    """An address under which both tracks lie."""
    with tempfile.TemporaryDirectory() as folder:
        for number, sound in enumerate(tracks(seconds)):
            buffer = io.BytesIO()
            with wave.open(buffer, "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(RATE)
                file.writeframes(np.rint(sound * 32767).astype("<i2").tobytes())
            Path(folder, f"{number}.wav").write_bytes(buffer.getvalue())
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=folder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        server.server_close()


class _Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


def _serve(inputs: str, seconds: float) -> dict[str, float]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["-m", "model_container.serve", FOLDER / "packed", "--host", "127.0.0.1", "--port", port]
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, *map(str, command)], stdout=subprocess.DEVNULL)
    try:
        while not _healthy(port):
            if process.poll() is not None or time.perf_counter() - began > PATIENCE:
                raise SystemExit("The server did not become healthy.")
            time.sleep(0.01)
        healthy, idle = time.perf_counter() - began, _memory(process.pid, "VmRSS")
        body = {"tracks": [{"url": f"{inputs}/{number}.wav"} for number in range(2)], "duration": seconds}
        asked = time.perf_counter()
        answer = urllib3.request("POST", f"http://127.0.0.1:{port}/invocations", json=body, timeout=PATIENCE)
        assert answer.status == 200, answer.data
        clip = time.perf_counter() - asked
        return {"healthy": healthy, "clip": clip, "idle": idle, "peak": _memory(process.pid, "VmHWM")}
    finally:
        process.terminate()
        process.wait()


def _healthy(port: int) -> bool:
    try:
        return urllib3.request("GET", f"http://127.0.0.1:{port}/ping", retries=False).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def _memory(pid: int, name: str) -> int:
    """Megabytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1e3)


if __name__ == "__main__":
    main()
