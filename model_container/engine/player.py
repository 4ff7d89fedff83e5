"""What a decoder that chooses its tokens itself is: on a GPU, nothing should wait for the host in between.

Knows the contract. Must not know how a player computes. A decoder need not be a player; `generate.py` asks.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from model_container.engine.decoder import IntArray
from model_container.engine.sampling import Sampling

OPEN = -1  # in a part's columns: a token that is to be chosen


@dataclass(frozen=True, eq=False)
class Part:
    """A window's worth of music as a player goes through it.

    columns: [columns, codebooks], OPEN where a token is to be chosen, else the token that stands there.
    next: the first column with something to choose; those before it but the last were given to prefill.
    offset: the position of column 0. start: what is added to a column's number for its noise.
    """

    columns: IntArray
    next: int
    offset: int
    start: int
    sampling: Sampling
    guidance: float


class Chunk(Protocol):
    """Columns that were started together and are perhaps not yet made."""

    def made(self, slot: int) -> int:
        """How many columns of this slot are among them."""
        ...

    def tokens(self, slot: int) -> IntArray:
        """[made, codebooks]; waits until they are there."""
        ...


@runtime_checkable
class Player(Protocol):
    """What a `Decoder` may do beside: the loop itself, with the same tokens as `sampling.sample`."""

    def begin(self, slot: int, part: Part) -> None:
        """Start choosing tokens for a slot that was prefilled up to column part.next - 2."""
        ...

    def play(self, steps: int) -> Chunk:
        """Start up to so many columns for every slot that was begun, and do not wait for them."""
        ...
