"""Ctrl-C and SIGTERM, first as an exception, then as something to wait for.

Knows signals. Must not know what is stopped.

An exception that a signal raises can strike between the taking of a lock and its release; whoever waits for
that lock later, as a `Popen.wait` at the end does, waits for ever. So only a start is interrupted, and
what runs is asked.
"""

import select
import signal
import socket
from contextlib import ExitStack
from types import FrameType
from typing import Self

ENDINGS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """While its block lasts, the first raises KeyboardInterrupt, unless `within` was called before."""

    def __init__(self) -> None:
        self._told = False
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        reader, writer = (self._undo.enter_context(end) for end in socket.socketpair())
        writer.setblocking(False)
        self._reader = reader
        self._undo.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(writer.fileno()))
        for number in ENDINGS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as of whoever was started in the background
                self._undo.callback(signal.signal, number, signal.signal(number, self._strike))
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def within(self, seconds: float) -> bool:
        """Whether a signal came by now, or comes within so long."""
        self._told = True
        return bool(select.select([self._reader], [], [], seconds)[0])

    def _strike(self, _number: int, _frame: FrameType | None) -> None:
        if not self._told:
            self._told = True  # make sends its own signal after the terminal's: it must not strike the ending
            raise KeyboardInterrupt
