"""A running server of the two-track model, tracks to ask it with, and a model that can be held back."""

import io
import json
import threading
import time
import wave
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from model_container.engine.checkpoint import FloatArray
from model_container.server.studio import About
from model_container.server.track_studio import TrackStudio
from model_container.tracks.live import TrackEngine
from model_container.tracks.model import Network, TrackModel
from tests.engine.serving import Service, Store, answering

ABOUT = About("tracks", "cascade", "r7", "cpu")
RATE = 24_000


def serving_tracks(
    model: TrackModel,
    queue_size: int = 1,
    timeout: float = 600,
    clock: Callable[[], float] = time.perf_counter,
) -> AbstractContextManager[Service]:
    engine = TrackEngine(model, queue_size=queue_size, clock=clock)
    return answering(lambda stack: TrackStudio(stack.enter_context(engine), ABOUT), engine, timeout)


class Clock:
    """A network that takes a second each time, by a clock on which nothing else takes any."""

    def __init__(self, network: Network) -> None:
        self._network, self._now = network, 0.0

    def __call__(self, track1: FloatArray, track2: FloatArray) -> FloatArray:
        self._now += 1.0
        return self._network(track1, track2)

    def read(self) -> float:
        return self._now


class Held:
    """A network that does not answer before it is let go; afterwards it does at once."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.reached, self._let_go = threading.Event(), threading.Event()

    def __call__(self, track1: FloatArray, track2: FloatArray) -> FloatArray:
        self.reached.set()
        assert self._let_go.wait(60)
        return self._network(track1, track2)

    def let_go(self) -> None:
        self._let_go.set()


def recording(seconds: float, hertz: float = 440, rate: int = RATE, channels: int = 1) -> bytes:
    moments = np.arange(int(rate * seconds)) / rate
    sound = np.rint(12_000 * np.sin(2 * np.pi * hertz * moments) * (1 + np.sin(7 * moments)) / 2).astype(
        "<i2"
    )
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.repeat(sound, channels).tobytes())
    return buffer.getvalue()


def clip(store: Store, **changes: Any) -> dict[str, Any]:
    """A request for two seconds of two tracks, which lie in the store."""
    store.files["/track1"], store.files["/track2"] = [recording(3)], [recording(3, 660, 44_100, 2)]
    tracks = [{"url": f"{store.url}/track1"}, {"url": f"{store.url}/track2", "start_time": 0.5}]
    return {"tracks": tracks, "duration": 2.0, **changes}


def states(store: Store) -> list[dict[str, Any]]:
    return [json.loads(data) for data in store.files["/progress"]]


def delivered(store: Store) -> dict[str, str]:
    return {"output_url": f"{store.url}/clip", "progress_url": f"{store.url}/progress"}
