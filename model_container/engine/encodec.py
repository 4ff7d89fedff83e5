"""EnCodec on pieces of a signal: frames of codes to sound as they come, and sound to codes.

Knows the packed codec graphs and how much of a piece's edges to drop. Must not know how codes are made.
"""

from functools import cached_property
from pathlib import Path

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


class Codec:
    """Decodes and encodes one channel, or several as a batch. Streams and threads may share it."""

    def __init__(self, folder: Path, config: CodecConfig, *, channels: int, threads: int) -> None:
        self.config, self.channels = config, channels
        self._codebooks: FloatArray = np.load(folder / "codebooks.npy", mmap_mode="r")
        self._folder, self._threads = folder, threads
        self._lstm, self._sound = self._open("lstm"), self._open("sound")

    @cached_property
    def _features(self) -> ort.InferenceSession:
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

    def features(
        self, latents: FloatArray, keep: tuple[int, int], state: list[FloatArray]
    ) -> list[FloatArray]:
        """The features of frames `keep` of latents, after `state`, and the next state."""
        names = [f"state_{part}_{i}" for i in range(self.config.lstm_layers) for part in "hc"]
        nexts = [f"next_{part}_{i}" for i in range(self.config.lstm_layers) for part in "hc"]
        inputs = {"latents": latents, "keep": np.array(keep), **dict(zip(names, state, strict=True))}
        outputs: list[FloatArray] = self._lstm.run(["features", *nexts], inputs)
        return outputs

    def initial_state(self) -> list[FloatArray]:
        width = self.config.filters * 2 ** len(self.config.ratios)
        return [np.zeros((1, self.channels, width), np.float32) for _ in range(2 * self.config.lstm_layers)]

    def sound(self, features: FloatArray) -> FloatArray:
        sound: FloatArray = self._sound.run(None, {"features": features})[0]
        return sound[:, 0]

    def _piece(self, sound: FloatArray, start: int, frames: int) -> FloatArray:
        """Features of up to CHUNK frames from `start`, exact: computed with context and cut."""
        first, last = max(start - CONTEXT, 0), min(start + CHUNK + CONTEXT, frames)
        hop = self.config.hop
        piece = np.ascontiguousarray(sound[:, None, first * hop : last * hop])
        features: FloatArray = self._features.run(None, {"sound": piece})[0]
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

    The sound is that of the whole signal decoded at once, to rounding.
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._state = codec.initial_state()
        self._latents = _Window()
        self._features = _Window()
        self._sounded = 0  # frames that have been given out as sound
        self._ended = False

    def push(self, codes: IntArray) -> FloatArray:
        """codes [codebooks * channels, n], the next frames → sound [channels, samples] or none."""
        self._latents.append(self._codec.latents(codes))
        return self._advance()

    def finish(self) -> FloatArray:
        """The rest of the sound. Raises ValueError if the whole signal is shorter than MIN_FRAMES."""
        if self._latents.end < MIN_FRAMES:
            raise ValueError(f"{self._latents.end} frames of codes are too few: {MIN_FRAMES} are needed")
        self._ended = True
        return self._advance()

    def _advance(self) -> FloatArray:
        pieces = [np.zeros((self._codec.channels, 0), np.float32)]
        while count := self._ready():
            pieces.append(self._sound(count))
        return np.concatenate(pieces, axis=1)

    def _ready(self) -> int:
        final = self._latents.end - (0 if self._ended else 2 * CONTEXT)
        chunk = CHUNK if self._sounded else FIRST_CHUNK
        left = final - self._sounded
        return min(left, chunk) if self._ended or left >= chunk else 0

    def _sound(self, count: int) -> FloatArray:
        """Sound of the next frames, made from their features and CONTEXT more on each side."""
        start, end = self._sounded, self._sounded + count
        self._feature(min(end + CONTEXT, self._latents.end))
        first = max(start - CONTEXT, 0)
        sound = self._codec.sound(self._features.since(first))
        self._features.forget(end - CONTEXT)
        self._sounded = end
        hop = self._codec.config.hop
        return sound[:, (start - first) * hop : (end - first) * hop]

    def _feature(self, end: int) -> None:
        start = self._features.end
        first = max(start - CONTEXT, 0)
        latents = self._latents.since(first)[:, :, : end + CONTEXT - first]
        keep = (start - first, end - first)
        features, *self._state = self._codec.features(latents, keep, self._state)
        self._features.append(features)
        self._latents.forget(end - CONTEXT)


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
