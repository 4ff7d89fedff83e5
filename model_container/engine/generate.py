"""The loop: conditions and a prompt into the decoder, then a column of tokens at a time.

A decoder that is a player goes through the loop itself, a chunk of columns at a time.

Knows one window of a song. Must not know sound, queues, or how a decoder computes.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from model_container.engine.decoder import FloatArray, IntArray
from model_container.engine.delay import DelayedCodes
from model_container.engine.model import Conditions, Model
from model_container.engine.player import OPEN, Chunk, Part, Player
from model_container.engine.sampling import Sampling, sample

T = TypeVar("T")
PREFILL = (
    128  # positions at a time, so that songs that are under way wait only so long; fixed, so that bits are
)
CHUNK = 25  # columns that a player makes at a time: half a second of music


@dataclass(frozen=True, eq=False)
class Window:
    """One slot's worth of music while it is made."""

    slot: int
    conditions: Conditions
    codes: DelayedCodes
    sampling: Sampling
    guidance: float = 3.0
    start: int = 0  # the number of this window's first frame in its song; noise goes by the song's columns
    flying: deque[Chunk] = field(default_factory=deque)  # what a player has started and nobody has taken

    @property
    def offset(self) -> int:
        """The position of column 0."""
        return 0 if self.conditions.prefix is None else self.conditions.prefix.shape[1]


def prefill(model: Model, window: Window) -> Iterator[None]:
    """Give the decoder all that comes before the first column to generate, a piece for each `next`."""
    decoder, embedding, offset = model.decoder, model.embedding, window.offset
    decoder.admit(window.slot, window.conditions.text)
    given = window.codes.next - 1
    tokens = embedding.tokens(window.codes.columns(0, given), offset + np.arange(given))
    hidden = np.stack([tokens, tokens])
    if window.conditions.prefix is not None:
        prefix = [embedding.states(row, np.arange(offset)) for row in window.conditions.prefix]
        hidden = np.concatenate([np.stack(prefix), hidden], axis=1)
    for start in range(0, hidden.shape[1], PREFILL):
        piece = np.ascontiguousarray(hidden[:, start : start + PREFILL])
        decoder.prefill(window.slot, piece, start)
        yield
    if isinstance(decoder, Player):
        decoder.begin(window.slot, _part(window))


def pace(model: Model) -> int:
    """Columns that `decode` makes of each window."""
    return CHUNK if isinstance(model.decoder, Player) else 1


def decode(model: Model, windows: Sequence[Window]) -> list[Exception | None]:
    """One more column for each of the windows, or a chunk; they must be prefilled and not done.

    Returns for each window what went wrong in it alone, if anything did. Raises what is no single window's.
    """
    if isinstance(model.decoder, Player):
        # While the host listens to the chunk before, the device is at work on this.
        chunk = model.decoder.play(CHUNK)
        return [_attempt(_take, window, chunk) for window in windows]
    logits = _step(model, windows)
    return [_attempt(_choose, window, row) for window, row in zip(windows, logits, strict=True)]


def _step(model: Model, windows: Sequence[Window]) -> FloatArray:
    last = [window.codes.next - 1 for window in windows]
    positions = np.array([window.offset + column for window, column in zip(windows, last, strict=True)])
    tokens = np.concatenate(
        [w.codes.columns(column, column + 1) for w, column in zip(windows, last, strict=True)]
    )
    hidden = model.embedding.tokens(tokens, positions)
    slots = np.array([window.slot for window in windows])
    guidance = np.array([window.guidance for window in windows], np.float32)
    return model.decoder.step(slots, hidden, positions, guidance)


def _attempt(work: Callable[[Window, T], None], window: Window, given: T) -> Exception | None:
    try:
        work(window, given)
    except Exception as error:  # it is this song's, and the others go on
        return error
    return None


def _choose(window: Window, logits: FloatArray) -> None:
    window.codes.append(sample(logits, window.sampling, window.start + window.codes.next))


def _take(window: Window, started: Chunk) -> None:
    """The chunk before the one that was started."""
    if started.made(window.slot):
        window.flying.append(started)
        if len(window.flying) == 1:
            return
    for tokens in window.flying.popleft().tokens(window.slot):
        window.codes.append(tokens)


def _part(window: Window) -> Part:
    codes = window.codes
    count = codes.last + 1
    columns = np.where(codes.open(0, count), OPEN, codes.columns(0, count))
    return Part(columns, codes.next, window.offset, window.start, window.sampling, window.guidance)


def generate(model: Model, window: Window) -> IntArray:
    """All frames of one window, [codebooks, frames], with nothing beside it."""
    for _ in prefill(model, window):
        pass
    while not window.codes.done:
        for error in filter(None, decode(model, [window])):
            raise error
    model.decoder.release(window.slot)
    return window.codes.codes(0, window.codes.frames)
