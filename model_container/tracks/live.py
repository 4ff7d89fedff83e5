"""The two-track model on a thread of its own, and pairs of tracks that wait for it.

One pair at a time: a clip takes seconds, and all of the machine. Knows threads. Must not know how a clip
is made, or HTTP.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Self

from model_container.engine.checkpoint import FloatArray
from model_container.engine.live import FailedError, Stats
from model_container.engine.places import ClosedError, Places
from model_container.tracks.making import Made, Stage, make
from model_container.tracks.model import TrackModel

logger = logging.getLogger(__name__)

Clock = Callable[[], float]  # seconds since whenever


class StoppedError(Exception):
    """The clip is not wanted any more."""


class Take:
    """A clip as its listener sees it: iterate for its stages as they begin and, last, for what was made."""

    def __init__(self, tracks: FloatArray, clock: Clock = time.perf_counter) -> None:
        self.tracks, self._clock = tracks, clock
        self.stage: Stage | None = None
        self.made: Made | None = None
        self._news: queue.SimpleQueue[Stage | Made | Exception | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._began: float | None = None
        self._ended: float | None = None

    def __iter__(self) -> Iterator[Stage | Made]:
        """Until it ends. Raises FailedError."""
        while (news := self._news.get()) is not None:
            if isinstance(news, Exception):
                raise FailedError("The music could not be made.") from news
            yield news

    def stop(self) -> None:
        """The rest is not wanted. Whoever iterates is released."""
        self._stopped.set()
        self._news.put(None)

    def check(self) -> None:
        if self._stopped.is_set():
            raise StoppedError

    def begin(self, stage: Stage) -> None:
        self._began = self._clock() if self._began is None else self._began
        self.stage = stage
        self._news.put(stage)

    def end(self, result: Made | Exception) -> None:
        self._ended = self._clock()
        if isinstance(result, Made):
            self.made = result
        self._news.put(result)
        self._news.put(None)

    @property
    def finished(self) -> bool:
        return self._ended is not None or self._stopped.is_set()

    @property
    def worked(self) -> float:
        """Seconds, all of them its own, since its first stage began."""
        if self._began is None:
            return 0.0
        return (self._clock() if self._ended is None else self._ended) - self._began


class TrackEngine:
    """Use it in a `with`: leaving it takes no more clips and returns when those it has are made."""

    def __init__(self, model: TrackModel, *, queue_size: int = 16, clock: Clock = time.perf_counter) -> None:
        self.model, self.places, self._clock = model, Places(1 + queue_size), clock
        self._takes: list[Take] = []
        self._made, self._seconds, self._busy_seconds = 0, 0.0, 0.0
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="tracks")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._thread.join()

    def play(self, tracks: FloatArray) -> Take:
        """Make one of two [2, samples] when it is their turn, for who has a place. Raises ClosedError."""
        take = Take(tracks, self._clock)
        with self._change:
            if self.closed:
                raise ClosedError("The engine is stopping.")
            self._takes.append(take)
            self._change.notify()
        return take

    def close(self) -> None:
        with self._change:
            self.places.close()
            self._change.notify()

    @property
    def closed(self) -> bool:
        return self.places.closed

    def position(self, take: Take) -> int | None:
        """Its place in the line, from 1; None when it is no longer in it."""
        with self._change:
            waiting = [other for other in self._waiting() if other.stage is None]
            return waiting.index(take) + 1 if take in waiting else None

    def stats(self) -> Stats:
        with self._change:
            running = sum(take.stage is not None for take in self._waiting())
            waiting = len(self._waiting()) - running
        return Stats(waiting, running, self._made, self._made, self._seconds, self._busy_seconds)

    def _waiting(self) -> list[Take]:
        self._takes = [take for take in self._takes if not take.finished]
        return self._takes

    def _run(self) -> None:
        while (take := self._next()) is not None:
            try:
                made = make(self.model, take.tracks, take.begin, take.check)
                self._made += 1
                self._seconds += len(made.sound) / self.model.rate
                take.end(made)
            except StoppedError as stopped:
                take.end(stopped)
            except Exception as error:  # one clip's failure is not the next one's
                logger.exception("a clip broke")
                take.end(error)
            self._busy_seconds += take.worked

    def _next(self) -> Take | None:
        """The first that waits; sleeps while there is none. None when closed and all is made."""
        with self._change:
            while not self._waiting() and not self.closed:
                self._change.wait()
            return self._takes[0] if self._takes else None
