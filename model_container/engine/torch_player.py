"""The loop on the device: a step ends with tokens, and the next one begins with them.

Knows what a song's next column needs. Must not know layers, or who listens.

The host only counts. It knows how many columns it has started and therefore how far every song is, and copies
chosen tokens out behind the steps that choose them; the device never waits for it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from model_container.engine.decoder import DecoderWeights, FloatArray, IntArray
from model_container.engine.embedding import sinusoids
from model_container.engine.player import Part
from model_container.engine.torch_copies import Fetched, put
from model_container.engine.torch_decoder import POSITIONS, TEXTS, TorchDecoder, bucket
from model_container.engine.torch_graph import CudaGraphs, Recorded, Recorder, eagerly
from model_container.engine.torch_sampling import Choices, choose

WARM_SECONDS = 20.0


class Shape(NamedTuple):
    """What a recorded step is recorded for."""

    songs: int
    seen: int  # positions
    text: int  # tokens


@dataclass(frozen=True, eq=False)
class Songs:
    """Where each slot's song is, [slots], and its tokens; the step itself moves it on."""

    codes: Tensor  # [slots, columns, codebooks]; OPEN where a token is to be chosen
    column: Tensor  # the last one whose tokens are known
    last: Tensor  # of the song's columns
    offset: Tensor
    start: Tensor
    guidance: Tensor
    finite: Tensor  # whether all logits of the song so far were numbers
    choices: Choices

    @staticmethod
    def empty(slots: int, columns: int, codebooks: int, device: torch.device) -> "Songs":
        codes = torch.zeros(slots, columns, codebooks, dtype=torch.int64, device=device)
        column, last, offset, start = codes.new_zeros(4, slots).unbind()
        guidance = torch.ones(slots, device=device)
        choices = Choices.empty(slots, device)
        return Songs(codes, column, last, offset, start, guidance, guidance.bool(), choices)


@dataclass
class _Count:
    """What the host knows of a song."""

    column: int
    last: int
    offset: int


@dataclass(frozen=True, eq=False)
class TorchChunk:
    columns: dict[int, int]  # slot → columns made
    chosen: Fetched  # [slots, steps, codebooks]
    finite: Fetched  # [slots]

    def made(self, slot: int) -> int:
        return self.columns.get(slot, 0)

    def tokens(self, slot: int) -> IntArray:
        """Raises ArithmeticError if a logit was NaN or infinite."""
        if not self.finite.array()[slot]:
            raise ArithmeticError("a logit is NaN or infinite")
        tokens: IntArray = self.chosen.array()[slot, : self.made(slot)]
        return tokens


class TorchPlayer(TorchDecoder):
    """A decoder that is a player. On a GPU every step is a CUDA graph; `record` can say otherwise."""

    def __init__(
        self,
        weights: DecoderWeights,
        table: FloatArray,
        *,
        slots: int,
        positions: int,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        record: Recorder | None = None,
    ) -> None:
        """table: the embeddings, [codebooks, vocabulary + 1, hidden]."""
        super().__init__(weights, slots=slots, positions=positions, device=device, dtype=dtype)
        self._table = torch.tensor(table, dtype=dtype).to(device)
        self._books = torch.arange(len(table), device=device)
        self._sinusoids = torch.tensor(sinusoids(self.nowhere + 1, table.shape[2]), device=device)
        self._songs = Songs.empty(slots, positions + 1, len(table), torch.device(device))
        self._counts: dict[int, _Count] = {}
        if record is None:
            record = eagerly if device == "cpu" else CudaGraphs()
        self.recorded = Recorded(self._advance, record, self._idle)

    def shapes(self) -> Iterator[Shape]:
        """Every shape that a step can have, one song's first, as most are asked for."""
        for text in TEXTS[:1] if self.config.melody else TEXTS:
            songs = 1
            while True:
                for seen in range(POSITIONS, bucket(self.max_positions) + 1, POSITIONS):
                    yield Shape(songs, seen, text)
                if songs == self.slots:
                    break
                songs = min(2 * songs, self.slots)

    def warm(self, seconds: float = WARM_SECONDS) -> int:
        """Record steps ahead of the first song, for at most about so long; returns how many were."""
        return self.recorded.warm(self.shapes(), seconds)

    def begin(self, slot: int, part: Part) -> None:
        songs, column, last = self._songs, part.next - 1, len(part.columns) - 1
        songs.codes[slot, : last + 1] = put(part.columns, songs.codes.device, torch.int64)
        for state, value in (
            (songs.column, column),
            (songs.last, last),
            (songs.offset, part.offset),
            (songs.start, part.start),
            (songs.guidance, part.guidance),
            (songs.finite, True),
        ):
            state[slot].fill_(value)
        songs.choices.put(slot, part.sampling, self.config.vocabulary)
        self._counts[slot] = _Count(column, last, part.offset)

    def play(self, steps: int) -> TorchChunk:
        going = {slot: count for slot, count in self._counts.items() if count.column < count.last}
        made = {slot: min(steps, count.last - count.column) for slot, count in going.items()}
        first = self._songs.column.clone()
        for _ in range(max(made.values(), default=0)):
            self.recorded(self._shape(going))
            for count in going.values():
                count.column = min(count.column + 1, count.last)
        return self._copy(made, first)

    def release(self, slot: int) -> None:
        super().release(slot)
        self._counts.pop(slot, None)
        self._songs.last[slot] = self._songs.column[slot]

    def _shape(self, going: dict[int, _Count]) -> Shape:
        needed = max(going) + 1
        songs = min(1 << (needed - 1).bit_length(), self.slots)
        seen = max(count.offset + count.column for count in going.values()) + 1
        return Shape(songs, bucket(seen), self.longest_text(list(going)))

    def _advance(self, shape: Shape) -> None:
        """One column for each of the first slots; nothing changes for those that are at their last."""
        songs, n = self._songs, shape.songs
        slots = torch.arange(n, device=songs.codes.device)
        column, last = songs.column[:n], songs.last[:n]
        position = (songs.offset[:n] + column).masked_fill(column >= last, self.nowhere)
        embedded = self._table[self._books, songs.codes[slots, column]].float().sum(dim=1)
        x = (embedded + self._sinusoids[position]).to(self._table.dtype)
        logits = self.forward(x, position, songs.guidance[:n], shape.seen, shape.text)
        following = torch.minimum(column + 1, last)
        # A sum is a number only if all that it sums are.
        songs.finite[:n].logical_and_(logits.sum(dim=(1, 2)).isfinite() | (column >= last))
        chosen = choose(logits, songs.choices.first(n), songs.start[:n] + following)
        standing = songs.codes[slots, following]
        songs.codes[slots, following] = torch.where(standing < 0, chosen, standing)
        column.copy_(following)

    @contextmanager
    def _idle(self) -> Iterator[None]:
        """Every song is at its last column for a while: steps run, and change nothing."""
        last = self._songs.last.clone()
        self._songs.last.copy_(self._songs.column)
        try:
            yield
        finally:
            self._songs.last.copy_(last)

    def _copy(self, made: dict[int, int], first: Tensor) -> TorchChunk:
        """Start copying the columns after `first` [slots] to the host."""
        codes = self._songs.codes
        steps = torch.arange(1, max(made.values(), default=0) + 1, device=codes.device)
        columns = (first[:, None] + steps).clamp(max=codes.shape[1] - 1)
        tokens = codes.gather(1, columns[:, :, None].expand(-1, -1, codes.shape[2]))
        return TorchChunk(made, Fetched.of(tokens), Fetched.of(self._songs.finite))
