"""A function over fixed tensors, recorded once for each shape and replayed: no launch costs from the host.

Knows CUDA graphs. Must not know what is computed. The same function runs without a GPU: then recording it is
doing nothing, and replaying it is calling it.
"""

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

import torch

logger = logging.getLogger(__name__)

Run = Callable[[], None]
Recorder = Callable[[Run], Run]
Shape = TypeVar("Shape")


def eagerly(run: Run) -> Run:
    return run


class CudaGraphs:
    """A recorder. All graphs share one pool of memory: they never run at the same time.

    Nothing here waits for the device: songs that are under way lose only the time that recording takes the
    host, a step's launches twice and the graph's making; how long that is has not been measured.
    `torch.cuda.graph` would wait: before each recording it synchronises and gives all cached memory back
    (torch/cuda/graphs.py of 2.13). That is to make room, and `torch_model.SPARE` is room.
    """

    def __init__(self) -> None:
        self._pool = torch.cuda.graph_pool_handle()
        # One for all: libraries keep a workspace for each stream, and graphs reuse the pool only on the same.
        self._stream = torch.cuda.Stream()

    def __call__(self, run: Run) -> Run:
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            run()  # libraries load kernels and take workspaces on a first run, which cannot be recorded
            graph = torch.cuda.CUDAGraph()
            graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
            try:
                run()
            finally:
                graph.capture_end()
        torch.cuda.current_stream().wait_stream(self._stream)
        replay: Run = graph.replay
        return replay


class Recorded(Generic[Shape]):
    """`run`, for whatever shape it is asked. `idle` makes a run change nothing while it lasts."""

    def __init__(
        self, run: Callable[[Shape], None], record: Recorder, idle: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._run, self._record, self._idle = run, record, idle
        self._runs: dict[Shape, Run] = {}

    def __call__(self, shape: Shape) -> None:
        (self._runs.get(shape) or self.record(shape))()

    def record(self, shape: Shape) -> Run:
        with self._idle():
            self._runs[shape] = self._record(lambda: self._run(shape))
        return self._runs[shape]

    def warm(self, shapes: Iterable[Shape], seconds: float) -> int:
        """Record shapes in this order until they are all recorded or the time is over; how many were.

        The rest is recorded when it is first needed.
        """
        began = time.monotonic()
        for count, shape in enumerate(shapes):
            if time.monotonic() - began >= seconds:
                logger.info("recorded %d shapes in %.1f s", count, seconds)
                return count
            self.record(shape)
        return len(self._runs)
