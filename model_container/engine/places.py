"""Room for so many pieces of work at a time: whoever wants one made takes a place first, and leaves it last.

Knows counting. Must not know what the work is. What a place bounds is memory: of what goes in, of what is
made, and of what was made and nobody has read.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class FullError(Exception):
    """As many as may have a place; try again later."""


class ClosedError(Exception):
    """No more work is taken."""


class Places:
    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._taken: set[Place] = set()
        self._closed = False
        self._lock = threading.Lock()

    def take(self) -> "Place":
        """Raises FullError, ClosedError."""
        with self._lock:
            if self._closed:
                raise ClosedError("The engine is stopping.")
            if len(self._taken) >= self.capacity:
                raise FullError(
                    f"{len(self._taken)} pieces of music wait, are being made, or are not yet read."
                )
            place = Place(self._taken, self._lock)
            self._taken.add(place)
            return place

    def close(self) -> None:
        """Those that have places keep them."""
        with self._lock:
            self._closed = True

    @property
    def closed(self) -> bool:
        return self._closed


class Place:
    def __init__(self, taken: set["Place"], lock: threading.Lock) -> None:
        self._taken, self._lock = taken, lock
        self._left = False
        self._working = False

    def leave(self) -> None:
        """Once or more often. While somebody still works in it, it counts until they have done."""
        with self._lock:
            self._left = True
            self._free()

    @contextmanager
    def work(self) -> Iterator[None]:
        """For one at a time."""
        with self._lock:
            self._working = True
            self._taken.add(self)
        try:
            yield
        finally:
            with self._lock:
                self._working = False
                self._free()

    def _free(self) -> None:
        if self._left and not self._working:
            self._taken.discard(self)
