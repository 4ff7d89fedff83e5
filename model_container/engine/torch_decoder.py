"""A decoder that runs in PyTorch, on a GPU or, to be compared with the others, on a CPU.

Knows slots and where their rows lie in the caches. Must not know tokens, sampling, or how layers compute.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from model_container.engine.config import DecoderConfig
from model_container.engine.decoder import DecoderWeights, FloatArray, IntArray
from model_container.engine.torch_copies import put
from model_container.engine.torch_layers import Cache, Layers, Sight, Span, additive

POSITIONS = 256  # attention looks at a whole number of these: a recorded step's shape is fixed
TEXTS = (64, 512)  # and at so many of a text's tokens


class TorchDecoder:
    """Rows 2s and 2s + 1 of the cache are slot s, conditional and unconditional.

    A step computes all slots up to the last one given, where they lie. A slot without a step, or without a
    song, appends to the cache's last position, which no song reaches. On a GPU the same song can differ in
    its last bits with how many are made beside it: libraries choose their order of summing by shape.
    """

    def __init__(
        self,
        weights: DecoderWeights,
        *,
        slots: int,
        positions: int,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.config, self.slots, self.max_positions = weights.config, slots, positions
        self.layers = Layers.load(weights, torch.device(device), dtype)
        like = self.layers.heads
        self._past = Cache.empty(self.config, 2 * slots, bucket(positions + 1), like)
        texts = _text_positions(self.config)
        self._texts = Cache.empty(self.config, slots, texts, like)
        self._text_mask = additive(torch.zeros(slots, 1, 1, texts, device=device).bool(), dtype)
        self._text_mask[..., :1] = 0  # a row with nothing to attend to would be all NaN
        self._text_lengths = [0] * slots

    @property
    def nowhere(self) -> int:
        """The position of whatever is computed for nobody."""
        return self._past.positions - 1

    def admit(self, slot: int, text: FloatArray) -> None:
        if len(text) > self._texts.positions:
            raise ValueError(f"a text of {len(text)} tokens is too long")
        self._past.both[:, :, 2 * slot : 2 * slot + 2] = 0  # what was NaN no mask would hide
        self._texts.both[:, :, slot] = 0
        self._text_mask[slot] = float("-inf")
        self._text_mask[slot, ..., : max(len(text), 1)] = 0
        self._text_lengths[slot] = len(text)
        states = self.tensor(text)
        for i in range(self.config.layers if len(text) else 0):
            self._texts.both[i, :, slot, :, : len(text)] = self.layers.text(i, states)

    def prefill(self, slot: int, hidden: FloatArray, position: int) -> None:
        stop = position + hidden.shape[1]
        positions = torch.arange(position, stop, device=self.layers.heads.device).expand(2, -1)
        self._run(self.tensor(hidden), slice(2 * slot, 2 * slot + 2), positions, bucket(stop))

    def step(
        self, slots: IntArray, hidden: FloatArray, positions: IntArray, guidance: FloatArray
    ) -> FloatArray:
        count = int(slots.max()) + 1
        every = np.full(count, self.nowhere)
        x, scale = np.zeros((count, self.config.hidden), np.float32), np.ones(count, np.float32)
        every[slots], x[slots], scale[slots] = positions, hidden, guidance
        at = put(every, self.layers.heads.device, torch.int64)
        logits = self.forward(
            self.tensor(x), at, self.tensor(scale).float(), bucket(int(positions.max()) + 1), TEXTS[-1]
        )
        guided: FloatArray = logits.cpu().numpy()[slots]
        return guided

    def release(self, slot: int) -> None:
        self._text_lengths[slot] = 0

    def forward(self, x: Tensor, positions: Tensor, guidance: Tensor, seen: int, text: int) -> Tensor:
        """One position of the first slots: x [n, hidden], positions, guidance [n] → logits in fp32.

        seen, text: positions and tokens to look at; one of TEXTS. Touches the host in nothing.
        """
        rows = slice(0, 2 * len(x))
        pairs = x[:, None].repeat_interleave(2, dim=0)
        done = self._run(pairs, rows, positions.repeat_interleave(2)[:, None], seen, text)
        return self.layers.guided(done[:, 0], guidance)

    def longest_text(self, slots: Sequence[int]) -> int:
        """The one of TEXTS that holds these slots' texts."""
        longest = max((self._text_lengths[slot] for slot in slots), default=0)
        return next(size for size in TEXTS if longest <= size)

    def tensor(self, array: FloatArray) -> Tensor:
        return put(array, self.layers.heads.device, self.layers.heads.dtype)

    def _run(self, x: Tensor, rows: slice, positions: Tensor, seen: int, text: int = TEXTS[-1]) -> Tensor:
        songs = slice(rows.start // 2, rows.stop // 2)
        sight = None if self.config.melody else Sight(songs, self._text_mask[songs, ..., :text])
        span = Span.of(rows, positions, seen, sight, x.dtype)
        return self.layers(x, span, self._past, self._texts)


def bucket(positions: int) -> int:
    return POSITIONS * -(-positions // POSITIONS)


def song_bytes(config: DecoderConfig, positions: int, dtype: torch.dtype) -> int:
    """What a slot takes: keys and values of two rows' positions, and of one row's text."""
    kept = 2 * bucket(positions + 1) + _text_positions(config)
    size: int = dtype.itemsize
    return 2 * config.layers * config.hidden * kept * size


def _text_positions(config: DecoderConfig) -> int:
    return 0 if config.melody else TEXTS[-1]
