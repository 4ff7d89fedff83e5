"""Clips from two tracks for the server: fetch and cut the tracks, wait for a turn, give what comes out.

Knows addresses and the engine. Must not know HTTP as a server, or what becomes of a clip.
"""

import threading
from collections.abc import Iterator

import numpy as np

from model_container.engine import wav
from model_container.engine.decoder import FloatArray
from model_container.engine.live import Stats
from model_container.engine.places import Place
from model_container.server import transfer
from model_container.server.contract import Invocation, Track, TrackInvocation
from model_container.server.sounds import read_wav
from model_container.server.studio import About, Standing
from model_container.tracks.live import Take, TrackEngine
from model_container.tracks.making import Made


class Clip:
    """Implements Performance."""

    def __init__(self, invocation: TrackInvocation, engine: TrackEngine, place: Place) -> None:
        self.invocation = invocation
        self._engine, self._place = engine, place
        self._rate = engine.model.rate
        self._samples = round(invocation.duration * self._rate)
        self._take: Take | None = None
        self._stopped = threading.Event()

    @property
    def size(self) -> int:
        return len(self._header()) + self._samples * 2

    def stream(self) -> Iterator[bytes]:
        for news in self._play():
            yield self._header() + wav.pcm(news.sound[None]) if isinstance(news, Made) else b""

    def stop(self) -> None:
        self._stopped.set()
        if self._take is not None:
            self._take.stop()
        self._place.leave()

    def standing(self) -> Standing:
        take = self._take
        if take is None:
            return Standing(0.0, "Getting ready", 0.0)
        if take.stage is None:
            return Standing(0.0, "Waiting for a turn", 0.0, position=self._engine.position(take))
        seconds = self._samples / self._rate if take.made else 0.0
        report = take.made.report if take.made else None
        return Standing(take.stage.progress, take.stage.message, seconds, take.worked, report=report)

    def _play(self) -> Take:
        with self._place.work():
            parts = [self._fetch(track, f"track {i + 1}") for i, track in enumerate(self.invocation.tracks)]
            take = self._take = self._engine.play(np.stack(parts))
        if self._stopped.is_set():
            take.stop()
        return take

    def _fetch(self, track: Track, name: str) -> FloatArray:
        """The segment that is meant, [samples]; silence follows where it is shorter than the clip."""
        seconds = self.invocation.duration
        if track.end_time is not None:
            seconds = min(seconds, track.end_time - track.start_time)
        with transfer.get(str(track.url), name, lambda: not self._stopped.is_set()) as file:
            try:
                sound = read_wav(file, self._rate, seconds, track.start_time, mono=True)[0]
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
        return np.pad(sound[: self._samples], (0, max(self._samples - len(sound), 0)))

    def _header(self) -> bytes:
        return wav.header(self._samples, 1, self._rate)


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
        return Clip(invocation, self.engine, self.engine.places.take())
