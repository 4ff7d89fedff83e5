"""What a recording asks of CUDA, in its order: a device that only takes notes stands in for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from model_container.engine.torch_graph import CudaGraphs


class Notes:
    """Takes the place of torch.cuda's streams and graphs."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.current, self.streams = "songs", 0

    def make_stream(self) -> "Stream":
        self.streams += 1
        return Stream(self, f"stream {self.streams}")

    def current_stream(self) -> "Stream":
        return Stream(self, self.current)

    @contextmanager
    def on(self, stream: "Stream") -> Iterator[None]:
        before, self.current = self.current, stream.name
        yield
        self.current = before

    def graph(self) -> "Graph":
        return Graph(self)

    def note(self, text: str) -> None:
        self.said.append(f"{self.current}: {text}")


class Stream:
    def __init__(self, notes: Notes, name: str) -> None:
        self._notes, self.name = notes, name

    def wait_stream(self, other: "Stream") -> None:
        self._notes.said.append(f"{self.name}: waits for {other.name}")


class Graph:
    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    def capture_begin(self, *, pool: str, capture_error_mode: str) -> None:
        self._notes.note(f"begins in {pool}, {capture_error_mode}")

    def capture_end(self) -> None:
        self._notes.note("ends")

    def replay(self) -> None:
        self._notes.note("replays")


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> Notes:
    made = Notes()

    def refuse(*_: Any) -> None:
        raise AssertionError("songs that are under way would wait")

    replaced = {
        "Stream": made.make_stream,
        "current_stream": made.current_stream,
        "stream": made.on,
        "CUDAGraph": made.graph,
        "graph_pool_handle": lambda: "the pool",
        "synchronize": refuse,
        "empty_cache": refuse,
    }
    for name, replacement in replaced.items():
        monkeypatch.setattr(torch.cuda, name, replacement)
    return made


def test_every_recording_is_warmed_up_and_made_on_one_stream_and_waits_for_nothing(notes: Notes) -> None:
    graphs = CudaGraphs()

    for _ in range(2):
        graphs(lambda: notes.note("runs"))()

    recording = [
        "stream 1: waits for songs",
        "stream 1: runs",
        "stream 1: begins in the pool, thread_local",
        "stream 1: runs",
        "stream 1: ends",
        "songs: waits for stream 1",
        "songs: replays",
    ]
    assert notes.said == 2 * recording


def test_a_recording_that_fails_is_ended(notes: Notes) -> None:
    runs = 0

    def failing() -> None:
        nonlocal runs
        runs += 1
        if runs == 2:
            raise RuntimeError("not while recording")

    with pytest.raises(RuntimeError, match="not while recording"):
        CudaGraphs()(failing)

    assert notes.said[-1] == "stream 1: ends"
