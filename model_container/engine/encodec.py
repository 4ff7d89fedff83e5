"""EnCodec on pieces of a signal: frames of codes to sound as they come, and sound to codes.

Knows the packed codec graphs and how much of a piece's edges to drop. Must not know how codes are made.
"""

from collections import deque
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime as ort

from model_container.engine.checkpoint import FloatArray
from model_container.engine.config import CodecConfig
from model_container.engine.decoder import IntArray
from model_container.engine.session import open_session

CHUNK = 100  # frames: two seconds; a chunk's activations stay near the processor
FIRST_CHUNK = 40  # so that the first sound of a stream comes early
CONTEXT = 4  # frames that the convolutions reach to each side, and a little more
MIN_FRAMES = 4  # shorter signals cannot be reflected at their ends


class Pending(Protocol):
    """Sound that is perhaps still being made."""

    def ready(self) -> bool: ...

    def array(self) -> FloatArray:
        """[channels, samples]; waits until it is there."""
        ...


@dataclass(frozen=True, eq=False)
class Ready:
    """A `Pending` that is not."""

    sound: FloatArray

    def ready(self) -> bool:
        return True

    def array(self) -> FloatArray:
        return self.sound


@dataclass(frozen=True, eq=False)
class Past:
    """What a chunk leaves to the next one of its stream, as its codec keeps it."""

    features: Any  # [channels, width, CONTEXT or fewer], from before what was sounded, and those after it
    state: Any


class Codec:
    """Decodes and encodes one channel, or several as a batch. Streams and threads may share it."""

    def __init__(self, folder: Path, config: CodecConfig, *, channels: int, threads: int) -> None:
        self.config, self.channels = config, channels
        self._codebooks: FloatArray = np.load(folder / "codebooks.npy", mmap_mode="r")
        self._folder, self._threads = folder, threads
        self._lstm, self._sound = self._open("lstm"), self._open("sound")

    @cached_property
    def _encoder(self) -> ort.InferenceSession:
        """Opened by the first recording that is encoded, as most songs go on from none."""
        return self._open("features")

    @cached_property
    def _latents(self) -> ort.InferenceSession:
        return self._open("latents")

    def _open(self, name: str) -> ort.InferenceSession:
        return open_session(self._folder / f"codec_{name}.onnx", self._threads, spin=False)

    def decode(self, codes: IntArray) -> FloatArray:
        """codes [codebooks * channels, n] → sound [channels, n * hop]."""
        stream = CodecStream(self)
        return np.concatenate([stream.push(codes), stream.finish()], axis=1)

    def encode(self, sound: FloatArray) -> IntArray:
        """sound [channels, samples] → codes [codebooks * channels, samples // hop]."""
        frames = sound.shape[1] // self.config.hop
        if frames < MIN_FRAMES:
            raise ValueError(f"{frames} frames of sound are too few: {MIN_FRAMES} are needed")
        pieces = [self._piece(sound, start, frames) for start in range(0, frames, CHUNK)]
        latents = self._latents.run(None, {"features": np.concatenate(pieces, axis=2)})[0]
        return self._quantize(latents)

    def latents(self, codes: IntArray) -> FloatArray:
        """codes [codebooks * channels, n], channels alternating → [channels, hidden, n]."""
        split = codes.reshape(self.config.codebooks, self.channels, -1)
        books = np.arange(self.config.codebooks)[:, None, None]
        summed: FloatArray = self._codebooks[books, split].sum(axis=0)
        return summed.transpose(0, 2, 1)

    def chunk(
        self, latents: FloatArray, fresh: slice, sounding: slice, past: Past | None
    ) -> tuple[Pending, Past]:
        """Start on the next chunk of a stream; None is the past of its first.

        fresh: which of the latents' frames have no features yet. sounding: whose sound is wanted, counted
        from the first frame of the past's features. → [channels, frames * hop], and the past of the next.
        """
        features, state = self._features(latents, fresh, past)
        sound = self._sound.run(None, {"features": features})[0][:, 0]
        hop, kept = self.config.hop, max(sounding.stop - CONTEXT, 0)
        heard = sound[:, sounding.start * hop : sounding.stop * hop]
        return Ready(heard), Past(features[:, :, kept:], state)

    def _features(
        self, latents: FloatArray, fresh: slice, past: Past | None
    ) -> tuple[FloatArray, list[FloatArray]]:
        """Those of the past, then those of the fresh frames; and the LSTM's state after them."""
        layers, width = self.config.lstm_layers, self.config.filters * 2 ** len(self.config.ratios)
        state = past.state if past else [np.zeros((1, self.channels, width), np.float32)] * (2 * layers)
        names = [f"{part}_{i}" for i in range(layers) for part in "hc"]
        before = {f"state_{name}": value for name, value in zip(names, state, strict=True)}
        inputs = {"latents": latents, "keep": np.array([fresh.start, fresh.stop]), **before}
        features, *after = self._lstm.run(["features", *(f"next_{name}" for name in names)], inputs)
        return np.concatenate([past.features, features], axis=2) if past else features, after

    def _piece(self, sound: FloatArray, start: int, frames: int) -> FloatArray:
        """Features of up to CHUNK frames from `start`, exact: computed with context and cut."""
        first, last = max(start - CONTEXT, 0), min(start + CHUNK + CONTEXT, frames)
        hop = self.config.hop
        piece = np.ascontiguousarray(sound[:, None, first * hop : last * hop])
        features: FloatArray = self._encoder.run(None, {"sound": piece})[0]
        return features[:, :, start - first : min(start + CHUNK, frames) - first]

    def _quantize(self, latents: FloatArray) -> IntArray:
        """Each codebook takes the entry nearest to what the ones before it left over."""
        residual = latents.transpose(0, 2, 1)
        codes = []
        for book in self._codebooks:
            distance = np.square(book).sum(axis=1) - 2 * residual @ book.T
            codes.append(distance.argmin(axis=2))
            residual = residual - book[codes[-1]]
        return np.stack(codes).reshape(self.config.codebooks * self.channels, -1)


class CodecStream:
    """One signal's frames in, its sound out as soon as it is final: a chunk, eight frames after its last.

    The sound is that of the whole signal decoded at once, to rounding. Nothing is waited for but in `rest`.
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._past: Past | None = None
        self._latents = _Window()
        self._featured = 0  # frames that have features
        self._sounded = 0  # frames whose sound has been started
        self._started: deque[Pending] = deque()

    def push(self, codes: IntArray) -> FloatArray:
        """The next codes [codebooks * channels, n] → sound [channels, samples] that is there, if any."""
        self._latents.append(self._codec.latents(codes))
        while (count := self._chunk) <= self._latents.end - 2 * CONTEXT - self._sounded:
            self._start(count)
        return self._taken(wait=False)

    def end(self) -> None:
        """Nothing follows. Raises ValueError if the whole signal is shorter than MIN_FRAMES."""
        if self._latents.end < MIN_FRAMES:
            raise ValueError(f"{self._latents.end} frames of codes are too few: {MIN_FRAMES} are needed")
        while left := self._latents.end - self._sounded:
            self._start(min(left, self._chunk))

    def rest(self) -> FloatArray:
        """The sound of all that was pushed and has not been given out."""
        return self._taken(wait=True)

    def finish(self) -> FloatArray:
        self.end()
        return self.rest()

    @property
    def _chunk(self) -> int:
        return CHUNK if self._sounded else FIRST_CHUNK

    def _start(self, count: int) -> None:
        """Sound of the next frames, made from their features and CONTEXT more on each side."""
        start, end = self._sounded, self._sounded + count
        featured = min(end + CONTEXT, self._latents.end)
        first, oldest = max(self._featured - CONTEXT, 0), max(start - CONTEXT, 0)
        latents = self._latents.since(first)[:, :, : featured + CONTEXT - first]
        fresh = slice(self._featured - first, featured - first)
        sound, self._past = self._codec.chunk(latents, fresh, slice(start - oldest, end - oldest), self._past)
        self._started.append(sound)
        self._latents.forget(featured - CONTEXT)
        self._featured, self._sounded = featured, end

    def _taken(self, *, wait: bool) -> FloatArray:
        pieces = [np.zeros((self._codec.channels, 0), np.float32)]
        while self._started and (wait or self._started[0].ready()):
            pieces.append(self._started.popleft().array())
        return np.concatenate(pieces, axis=1)


class _Window:
    """The latest frames [channels, size, n] of a signal, under their numbers in the whole."""

    def __init__(self) -> None:
        self._frames: FloatArray | None = None
        self._start = 0

    @property
    def end(self) -> int:
        return self._start + (0 if self._frames is None else self._frames.shape[2])

    def append(self, frames: FloatArray) -> None:
        self._frames = frames if self._frames is None else np.concatenate([self._frames, frames], axis=2)

    def since(self, frame: int) -> FloatArray:
        if self._frames is None or frame < self._start:
            raise IndexError(frame)
        return self._frames[:, :, frame - self._start :]

    def forget(self, before: int) -> None:
        if before > self._start:
            self._frames, self._start = self.since(before), before
