"""The wire between the domain and its ports: counts every call, and at chosen ones lets something happen.

A hook may raise, as a port that fails or a process that is killed does; or act, as somebody else at that
very moment does. What happens inside a hook is not counted, so call n stays call n from run to run.
"""

from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Any

from lambdas.core.errors import Lost, TransientError

Hook = Callable[[], object]


class Crash(BaseException):
    """The process is gone, as a function that is killed: no handler of ordinary errors sees it."""


class Broken(Exception):
    """An error that nobody planned for."""


class Fault(Enum):
    """What happens at a call, and whether the call has had its effect by then."""

    BREAKS_BEFORE = ("before", Broken)
    BREAKS_AFTER = ("after", Broken)
    FAILS_BEFORE = ("before", partial(TransientError, "unavailable", "Not now."))
    FAILS_AFTER = ("after", partial(Lost, "unavailable", "Not now."))
    CRASHES_BEFORE = ("before", Crash)
    CRASHES_AFTER = ("after", Crash)


class Wire:
    def __init__(self, watch: Hook = lambda: None) -> None:
        self.calls: list[str] = []
        self.before: dict[int, Hook] = {}
        self.after: dict[int, Hook] = {}
        self.swallowed: dict[int, tuple[str, ...]] = {}
        self.repeated: dict[int, tuple[str, ...]] = {}
        self.always: dict[str, Hook] = {}  # hooks before every call of one name, such as `jobs.get`
        self.watch = watch
        self._inside = False

    def through(self, name: str, port: Any) -> Any:
        """The same port, reached by this wire."""
        return _Tap(self, name, port)

    def fault(self, nth: int, fault: Fault) -> None:
        when, error = fault.value
        (self.before if when == "before" else self.after)[nth] = partial(_throw, error)

    def swallow(self, nth: int, *names: str) -> None:
        """Let call n, if it is one of these, say that it had its effect, and have none."""
        self.swallowed[nth] = names

    def repeat(self, nth: int, *ports: str) -> None:
        """Let call n, if it is to one of these ports, have its effect twice, as a client does that had no
        answer to its first try; what counts is the answer to the second."""
        self.repeated[nth] = ports

    def call(self, name: str, act: Callable[[], object]) -> object:
        if self._inside:
            return self._watched(act)
        nth = len(self.calls)
        self.calls.append(name)
        self._run(self.always.get(name))
        self._run(self.before.get(nth))
        if name.partition(".")[0] in self.repeated.get(nth, ()):
            self._watched(act)
        result = None if name in self.swallowed.get(nth, ()) else self._watched(act)
        self._run(self.after.get(nth))
        return result

    def _watched(self, act: Callable[[], object]) -> object:
        try:
            return act()
        finally:
            self.watch()

    def _run(self, hook: Hook | None) -> None:
        self._inside = True
        try:
            if hook is not None:
                hook()
        finally:
            self._inside = False


class _Tap:
    def __init__(self, wire: Wire, name: str, port: Any) -> None:
        self._wire, self._name, self._port = wire, name, port

    def __getattr__(self, method: str) -> object:
        act = getattr(self._port, method)
        if not callable(act):
            return act  # what a port says of itself, such as `longest`
        return lambda *args, **named: self._wire.call(f"{self._name}.{method}", partial(act, *args, **named))


def _throw(error: Callable[[], BaseException]) -> None:
    raise error()
