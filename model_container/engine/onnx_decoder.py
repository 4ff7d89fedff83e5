"""A decoder that runs a packed graph in ONNX Runtime: portable, no compiler needed, and the others' oracle.

Knows ONNX Runtime and how the cache lies in memory. Must not know tokens or sampling.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_container.engine.config import DecoderConfig
from model_container.engine.decoder import FloatArray, IntArray
from model_container.engine.session import Binding, open_session

TEXT_STEP = 64  # text caches grow by so many tokens: whole vectors of padding change no bit of a sum


@dataclass(frozen=True, eq=False)
class _Cache:
    """Keys and values of every layer, [rows, heads, positions, head]; pages are taken when first written."""

    keys: list[FloatArray]
    values: list[FloatArray]

    @staticmethod
    def empty(config: DecoderConfig, rows: int, positions: int) -> "_Cache":
        def zeros() -> list[FloatArray]:
            shape = rows, config.heads, positions, config.head
            return [np.zeros(shape, np.float32) for _ in range(config.layers)]

        return _Cache(zeros(), zeros())

    @property
    def positions(self) -> int:
        return int(self.keys[0].shape[2])

    def named(self, rows: slice, prefix: str) -> dict[str, FloatArray]:
        keys = {f"{prefix}key_{i}": array[rows] for i, array in enumerate(self.keys)}
        return keys | {f"{prefix}value_{i}": array[rows] for i, array in enumerate(self.values)}


@dataclass(frozen=True, eq=False)
class _Run:
    """The arrays of one shape of run, bound to the graph once."""

    hidden: FloatArray  # [rows, n, hidden]
    lengths: NDArray[np.int32]  # [rows]
    total: NDArray[np.int32]  # [1]
    logits: FloatArray  # [rows, codebooks * vocabulary]
    binding: Binding

    def __call__(self, lengths: IntArray) -> FloatArray:
        self.lengths[:] = lengths
        self.total[0] = lengths.max() + 1
        self.binding.run()
        return self.logits


class OnnxDecoder:
    """Slots lie side by side: rows 2s and 2s + 1 of the cache are slot s, conditional and unconditional.

    A step computes every slot from the first to the last given one, because a run's rows must adjoin in
    memory. A slot in between without a step is computed at its own next position, which its next step
    overwrites. So songs run best in the lowest free slots.
    """

    def __init__(
        self, folder: Path, config: DecoderConfig, *, slots: int, positions: int, threads: int
    ) -> None:
        self.config, self.slots, self.max_positions = config, slots, positions
        self._session = open_session(folder / "decoder.onnx", threads)
        self._cross = None if config.melody else open_session(folder / "cross.onnx", threads, prepack=False)
        self._cache = _Cache.empty(config, 2 * slots, positions)
        self._next = np.zeros(slots, np.int64)
        self._steps: dict[tuple[int, int], _Run] = {}
        self._text = _Cache.empty(config, slots + 1, 0)
        self._mask = np.zeros((slots + 1, 0), np.int32)
        self._reserve_text(TEXT_STEP)

    def admit(self, slot: int, text: FloatArray) -> None:
        self._next[slot] = 0
        if self._cross is None:
            return
        if len(text) > self._text.positions:
            self._reserve_text(len(text))
        # Without a text one token of zeros is left to attend to, of which attention makes zero.
        self._mask[slot] = np.arange(self._text.positions) < max(len(text), 1)
        states = self._cross.run(None, {"text": text}) if len(text) else []
        for i in range(2 * self.config.layers):
            layer = (self._text.values if i % 2 else self._text.keys)[i // 2][slot]
            layer[...] = 0
            if states:
                layer[:, : len(text)] = states[i][0]

    def prefill(self, slot: int, hidden: FloatArray, position: int) -> None:
        # Row by row: the runtime appends several positions to what is there for one row at a time only.
        for half, text in ((0, slot), (1, self.slots)):
            row = 2 * slot + half
            run = self._bind(slice(row, row + 1), [0], slice(text, text + 1), hidden.shape[1])
            run.hidden[0] = hidden[half]
            run(np.array([position + hidden.shape[1] - 1]))
        self._next[slot] = position + hidden.shape[1]

    def step(
        self, slots: IntArray, hidden: FloatArray, positions: IntArray, guidance: FloatArray
    ) -> FloatArray:
        low, high = int(slots.min()), int(slots.max()) + 1
        run = self._steps.get((low, high)) or self._bind_step(low, high)
        self._next[slots] = positions
        rows = 2 * (slots - low)
        run.hidden[rows, 0] = run.hidden[rows + 1, 0] = hidden
        logits = run(np.minimum(self._next[low:high], self.max_positions - 1).repeat(2))
        self._next[slots] = positions + 1
        conditional, unconditional = logits[rows], logits[rows + 1]
        guided = unconditional + (conditional - unconditional) * guidance[:, None]
        return guided.reshape(len(slots), self.config.codebooks, self.config.vocabulary)

    def release(self, slot: int) -> None:
        self._next[slot] = 0

    def _bind_step(self, low: int, high: int) -> _Run:
        conditional = list(range(0, 2 * (high - low), 2))
        run = self._bind(slice(2 * low, 2 * high), conditional, slice(low, high), 1)
        self._steps[low, high] = run
        return run

    def _bind(self, rows: slice, conditional: list[int], texts: slice, count: int) -> _Run:
        config, size = self.config, rows.stop - rows.start
        hidden = np.zeros((size, count, config.hidden), np.float32)
        lengths, total = np.zeros(size, np.int32), np.zeros(1, np.int32)
        logits = np.zeros((size, config.codebooks * config.vocabulary), np.float32)
        inputs = {"hidden": hidden, "lengths": lengths, "total": total, **self._cache.named(rows, "")}
        if self._cross is not None:
            inputs |= {"conditional": np.array(conditional), "mask": self._mask[texts]}
            inputs |= self._text.named(texts, "text_")
        outputs = {"logits": logits, **self._cache.named(rows, "present_")}
        return _Run(hidden, lengths, total, logits, Binding(self._session, inputs, outputs))

    def _reserve_text(self, tokens: int) -> None:
        tokens = -(-tokens // TEXT_STEP) * TEXT_STEP
        # One row more than slots: the unconditional rows' text, which is none.
        text, mask = (
            _Cache.empty(self.config, self.slots + 1, tokens),
            np.zeros((self.slots + 1, tokens), np.int32),
        )
        mask[:, 0] = 1  # a row with nothing to attend to would be all NaN
        for new, old in zip(text.keys + text.values, self._text.keys + self._text.values, strict=True):
            new[:, :, : old.shape[2]] = old
        mask[:, : self._mask.shape[1]] |= self._mask
        self._text, self._mask = text, mask
        self._steps.clear()  # they are bound to the old arrays
