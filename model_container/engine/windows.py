"""How a piece longer than what the model was trained on is made: in windows that overlap.

Knows frames. Must not know tokens or sound.

    frame     0         600        1500       2400       3000
    window 1  ██████████████████████
    window 2            ░░░░░░░░░░░█████████████           ░ what was made before, given as the prompt
    window 3                       ░░░░░░░░░░░██████
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """Frames start to stop of a piece, of which those before `given` exist already."""

    start: int
    given: int
    stop: int


@dataclass(frozen=True)
class Windows:
    """length: frames of the longest window. stride: how far a full one moves on (18 of 30 s)."""

    length: int = 1500
    stride: int = 900

    def next(self, done: int, total: int) -> Span:
        """The window that goes on from `done` frames of a piece of `total`."""
        if total <= self.length:
            return Span(0, done, total)
        start = done - min(done, self.length - self.stride)
        return Span(start, done, min(start + self.length, total))
