"""Clips from two tracks for the server: fetch and cut the tracks, wait for a turn, give what comes out.

Knows addresses and the engine. Must not know HTTP as a server, or what becomes of a clip.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from model_container.engine import wav
from model_container.engine.decoder import FloatArray
from model_container.engine.live import Stats
from model_container.server import transfer
from model_container.server.contract import Invocation, Track, TrackInvocation
from model_container.server.sounds import read_wav
from model_container.server.studio import About, Standing
from model_container.tracks.live import Take, TrackEngine
from model_container.tracks.making import Made


@dataclass(frozen=True, eq=False)
class Clip:
    """Implements Performance."""

    invocation: TrackInvocation
    take: Take
    engine: TrackEngine
    began: float

    @property
    def size(self) -> int:
        return len(self._header()) + self._samples * 2

    def stream(self) -> Iterator[bytes]:
        for news in self.take:
            yield self._header() + wav.pcm(news.sound[None]) if isinstance(news, Made) else b""

    def stop(self) -> None:
        self.take.stop()

    def standing(self) -> Standing:
        made, stage = self.take.made, self.take.stage
        if stage is None:
            return Standing(0.0, "Waiting for a turn", 0.0, self.engine.position(self.take))
        seconds = self._samples / self.engine.model.rate if made else 0.0
        return Standing(stage.progress, stage.message, seconds, report=made.report if made else None)

    @property
    def _samples(self) -> int:
        return int(self.take.tracks.shape[1])

    def _header(self) -> bytes:
        return wav.header(self._samples, 1, self.engine.model.rate)


class TrackStudio:
    """Implements Studio."""

    invocation: type[Invocation] = TrackInvocation

    def __init__(self, engine: TrackEngine, about: About) -> None:
        self.engine, self.about = engine, about

    @property
    def closed(self) -> bool:
        return self.engine.closed

    def stats(self) -> Stats:
        return self.engine.stats()

    def begin(self, invocation: Invocation) -> Clip:
        if not isinstance(invocation, TrackInvocation):
            raise TypeError(invocation)
        began = time.monotonic()
        self.engine.refuse()  # before the work of fetching
        parts = [
            self._fetch(track, f"track {i + 1}", invocation) for i, track in enumerate(invocation.tracks)
        ]
        return Clip(invocation, self.engine.play(np.stack(parts)), self.engine, began)

    def _fetch(self, track: Track, name: str, invocation: TrackInvocation) -> FloatArray:
        """The segment that is meant, [samples]; silence follows where it is shorter than the clip."""
        data, rate = transfer.get(str(track.url), name), self.engine.model.rate
        seconds = invocation.duration
        if track.end_time is not None:
            seconds = min(seconds, track.end_time - track.start_time)
        try:
            sound = read_wav(data, rate, seconds, track.start_time, mono=True)[0]
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        samples = round(invocation.duration * rate)
        return np.pad(sound[:samples], (0, max(samples - len(sound), 0)))
