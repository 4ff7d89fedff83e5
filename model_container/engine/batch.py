"""Many songs on one model: they join and leave at any step (continuous batching; Yu et al. 2022, "Orca").

Knows slots and turns. Must not know threads, queues to the outside, or how a song is made.

Songs wait in line for a slot. One that holds a slot is first prefilled, a piece for each column of a round,
while the others go on; then it gets its columns like them. A song of several windows goes to the end of the
line after each of them, so that long pieces share the slots with short ones.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from model_container.engine.decoder import FloatArray
from model_container.engine.generate import Window, decode, pace, prefill
from model_container.engine.model import Model
from model_container.engine.song import Song

logger = logging.getLogger(__name__)


class Listener(Protocol):
    """Who a song is for. Must not block: all songs would wait."""

    def stopped(self) -> bool:
        """Whether the rest of the song is no longer wanted."""
        ...

    def hear(self, sound: FloatArray, made: int) -> None:
        """Sound that follows on the last, [channels, samples], and how many frames are made by now."""
        ...

    def work(self, seconds: float) -> None:
        """So long was worked for it: what was done for several at once counts in equal shares."""
        ...

    def end(self, error: Exception | None) -> None:
        """Nothing follows: the song is whole, or it failed. Not called when it was stopped."""
        ...


@dataclass(eq=False)
class _Turn:
    """A song's window in a slot."""

    song: Song
    listener: Listener
    window: Window
    prefilling: Iterator[None] | None


class Batch:
    def __init__(self, model: Model, clock: Callable[[], float] = time.perf_counter) -> None:
        self._model, self._clock = model, clock
        self._line: deque[tuple[Song, Listener]] = deque()
        self._turns: dict[int, _Turn] = {}
        self._resting: list[_Turn] = []  # without a slot, while their last sound is perhaps still being made
        self.rounds = 0
        self.columns = 0  # of all songs; a round of n songs makes n

    @property
    def waiting(self) -> int:
        return len(self._line)

    @property
    def running(self) -> int:
        return len(self._turns) + len(self._resting)

    def position(self, listener: Listener) -> int | None:
        """The place in the line, from 1, of a song that waits for its first slot or its next."""
        places = [other for _, other in self._line]
        return places.index(listener) + 1 if listener in places else None

    def join(self, song: Song, listener: Listener) -> None:
        self._line.append((song, listener))

    def advance(self) -> bool:
        """One round. False if there was nothing to do."""
        self._drop_stopped()
        self._admit()
        resting, self._resting = self._resting, []
        if not (self._turns or resting):
            return False
        for _ in range(pace(self._model)):
            self._prefill()
        ready = [turn for _, turn in sorted(self._turns.items()) if turn.prefilling is None]
        if ready:
            self._decode(ready)
        for turn in resting:  # now that the next columns are under way
            self._hear_out(turn)
        return True

    def _drop_stopped(self) -> None:
        self._line = deque((song, listener) for song, listener in self._line if not listener.stopped())
        self._resting = [turn for turn in self._resting if not turn.listener.stopped()]
        for turn in list(self._turns.values()):
            if turn.listener.stopped():
                self._leave(turn)

    def _admit(self) -> None:
        free = (slot for slot in range(self._model.decoder.slots) if slot not in self._turns)
        for slot in free:
            if not self._line:
                return
            song, listener = self._line.popleft()
            self._seat(song, listener, slot)

    def _seat(self, song: Song, listener: Listener, slot: int) -> None:
        try:
            with self._counted([listener]):
                window = song.window(slot)
        except Exception as error:  # whatever it is, it is this song's, and the others go on
            logger.exception("a song could not be started")
            listener.end(error)
            return
        self._turns[slot] = _Turn(song, listener, window, prefill(self._model, window))

    def _prefill(self) -> None:
        """One piece for the song that has held its slot longest among those not prefilled."""
        turn = next((turn for turn in self._turns.values() if turn.prefilling is not None), None)
        if turn is None or turn.prefilling is None:
            return
        try:
            with self._counted([turn.listener]):
                over = next(turn.prefilling, self) is self
            if over:
                turn.prefilling = None
        except Exception as error:
            self._fail([turn], error)

    def _decode(self, turns: list[_Turn]) -> None:
        before = sum(turn.window.codes.next for turn in turns)
        try:
            with self._counted([turn.listener for turn in turns]):
                errors = decode(self._model, [turn.window for turn in turns])
        except Exception as error:
            self._fail(turns, error)
            return
        self.rounds += 1
        self.columns += sum(turn.window.codes.next for turn in turns) - before
        for turn, own in zip(turns, errors, strict=True):
            try:
                if own is not None:
                    raise own
                self._listen(turn)
            except Exception as error:
                self._fail([turn], error)

    def _listen(self, turn: _Turn) -> None:
        with self._counted([turn.listener]):
            sound = turn.song.listen(turn.window)
        turn.listener.hear(sound, turn.song.made)
        if turn.window.codes.done:
            self._leave(turn)
            self._resting.append(turn)

    def _hear_out(self, turn: _Turn) -> None:
        try:
            with self._counted([turn.listener]):
                sound = turn.song.rest()
            turn.listener.hear(sound, turn.song.made)
        except Exception as error:
            logger.exception("a song failed")
            turn.listener.end(error)
            return
        if turn.song.done:
            turn.listener.end(None)
        else:
            self._line.append((turn.song, turn.listener))

    def _fail(self, turns: list[_Turn], error: Exception) -> None:
        logger.error("songs failed", exc_info=error)
        for turn in turns:
            self._leave(turn)
            turn.listener.end(error)

    @contextmanager
    def _counted(self, listeners: Sequence[Listener]) -> Iterator[None]:
        began = self._clock()
        try:
            yield
        finally:
            share = (self._clock() - began) / len(listeners)
            for listener in listeners:
                listener.work(share)

    def _leave(self, turn: _Turn) -> None:
        del self._turns[turn.window.slot]
        self._model.decoder.release(turn.window.slot)
