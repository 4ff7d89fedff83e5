"""A batch that runs on a thread of its own, and songs that others can listen to, stop, or wait for.

Knows threads. Must not know how songs are made, or HTTP.
"""

import logging
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from model_container.engine.batch import Batch
from model_container.engine.decoder import FloatArray
from model_container.engine.model import Model
from model_container.engine.places import ClosedError, Place, Places
from model_container.engine.song import Request, Song
from model_container.engine.windows import Windows

logger = logging.getLogger(__name__)


class FailedError(Exception):
    """The song could not be made; its cause says why."""


@dataclass(frozen=True)
class Stats:
    """Songs waiting and running; since the start, rounds, columns of all songs, and what they took."""

    waiting: int
    running: int
    rounds: int
    columns: int
    music_seconds: float
    busy_seconds: float


class Live:
    """A song as its listener sees it: iterate for its sound as it is made. At most its own length is kept.

    A place that is given is left when the song has been heard to its end, or stopped.
    """

    def __init__(self, frames: int, place: Place | None = None) -> None:
        self.frames = frames
        self._place = place
        self.made = 0
        self.worked = 0.0  # seconds, its share of what was done for several songs at once
        self._pieces: queue.SimpleQueue[FloatArray | Exception | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._ended = False

    def __iter__(self) -> Iterator[FloatArray]:
        """Pieces of sound [channels, samples] until the song ends. Raises FailedError."""
        while (piece := self._pieces.get()) is not None:
            if isinstance(piece, Exception):
                self._leave()
                raise FailedError("The song could not be made.") from piece
            yield piece
        self._leave()

    def stop(self) -> None:
        """The rest is not wanted. Whoever iterates is released."""
        self._stopped.set()
        self._pieces.put(None)
        self._leave()

    def stopped(self) -> bool:
        return self._stopped.is_set()

    def hear(self, sound: FloatArray, made: int) -> None:
        self.made = made
        if sound.shape[1]:
            self._pieces.put(sound)

    def work(self, seconds: float) -> None:
        self.worked += seconds

    def end(self, error: Exception | None) -> None:
        self._ended = True
        self._pieces.put(error)

    @property
    def finished(self) -> bool:
        return self._ended or self.stopped()

    def _leave(self) -> None:
        if self._place is not None:
            self._place.leave()


class Engine:
    """Use it in a `with`: leaving it takes no more songs and returns when those it has are made."""

    def __init__(self, model: Model, *, queue_size: int = 16, windows: Windows | None = None) -> None:
        self.model = model
        self._windows = windows or Windows()
        self.places = Places(model.decoder.slots + queue_size)
        self._batch = Batch(model)
        self._songs: list[Live] = []
        self._arrivals: list[tuple[Song, Live]] = []
        self._busy_seconds = 0.0
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="engine")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._thread.join()

    def play(self, request: Request, place: Place | None = None) -> Live:
        """Start a song as soon as a slot is free, in a place that is the caller's to leave or one of its own.

        Raises FullError, ClosedError, or ValueError for a request that the model cannot fulfil.
        """
        own = None if place else self.places.take()
        try:
            return self._begin(Song(self.model, request, self._windows), Live(request.frames, own))
        except Exception:
            if own:
                own.leave()
            raise

    def _begin(self, song: Song, live: Live) -> Live:
        with self._change:
            if self.closed:
                raise ClosedError("The engine is stopping.")
            self._songs = [other for other in self._songs if not other.finished]
            self._songs.append(live)
            self._arrivals.append((song, live))
            self._change.notify()
        return live

    def close(self) -> None:
        """Take no more songs; those that were taken are finished."""
        with self._change:
            self.places.close()
            self._change.notify()

    @property
    def closed(self) -> bool:
        return self.places.closed

    def position(self, live: Live) -> int | None:
        """A song's place in the line, from 1; None when it is no longer in it."""
        arriving = [other for _, other in list(self._arrivals)]
        if live in arriving:
            return self._batch.waiting + arriving.index(live) + 1
        return self._batch.position(live)

    def stats(self) -> Stats:
        batch, rate = self._batch, self.model.config.codec.frame_rate
        waiting = batch.waiting + len(self._arrivals)
        return Stats(
            waiting, batch.running, batch.rounds, batch.columns, batch.columns / rate, self._busy_seconds
        )

    def _run(self) -> None:
        try:
            while self._seat():
                began = time.perf_counter()
                self._batch.advance()
                self._busy_seconds += time.perf_counter() - began
        except Exception as error:  # nobody may be left waiting for a thread that is gone
            logger.exception("the engine broke")
            self.close()
            for live in self._songs:
                live.end(error)

    def _seat(self) -> bool:
        """Let arrivals join; sleep while there is nothing to do. False when closed and all is made."""
        with self._change:
            while not (self._arrivals or self._busy or self.closed):
                self._change.wait()
            for song, live in self._arrivals:
                self._batch.join(song, live)
            self._arrivals.clear()
            return self._busy or not self.closed

    @property
    def _busy(self) -> bool:
        return bool(self._batch.waiting or self._batch.running)
