"""EnCodec between sound and its continuous latents; its quantiser is never used.

Knows the packed codec graphs. Must not know what latents are for.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from model_container.engine.checkpoint import FloatArray
from model_container.engine.config import CodecConfig
from model_container.engine.session import open_session

CHUNK = 100  # frames whose activations stay near the processor
CONTEXT = 4  # frames that the causal convolutions reach back to, and more
MIN_FRAMES = 8  # fewer cannot be reflected at their beginning

Check = Callable[[], None]  # raises when the work is not wanted any more


class LatentCodec:
    """Works in chunks, and gives what the whole at once would give, to rounding. Threads may share it."""

    def __init__(self, folder: Path, config: CodecConfig, *, threads: int) -> None:
        self.config = config
        self._lstm, self._sound, self._features, self._latents = (
            open_session(folder / f"codec_{name}.onnx", threads)
            for name in ("lstm", "sound", "features", "latents")
        )

    def encode(self, sound: FloatArray, check: Check = lambda: None) -> FloatArray:
        """sound [batch, samples] → latents [batch, hidden, frames]; a last, partial frame counts as one.

        Raises ValueError for fewer than MIN_FRAMES.
        """
        hop, frames = self.config.hop, -(-sound.shape[1] // self.config.hop)
        self._enough(frames)
        pieces = []
        for first, start, end in _chunks(frames):
            check()
            piece = np.ascontiguousarray(sound[:, None, first * hop : end * hop])
            pieces.append(self._features.run(None, {"sound": piece})[0][:, :, start - first :])
        latents: FloatArray = self._latents.run(None, {"features": np.concatenate(pieces, axis=2)})[0]
        return latents

    def decode(self, latents: FloatArray, check: Check = lambda: None) -> FloatArray:
        """latents [batch, hidden, frames] → sound [batch, frames * hop]. ValueError as `encode` has it."""
        batch, _, frames = latents.shape
        self._enough(frames)
        width = self.config.filters * 2 ** len(self.config.ratios)
        names = [f"state_{part}_{i}" for i in range(self.config.lstm_layers) for part in "hc"]
        state = {name: np.zeros((1, batch, width), np.float32) for name in names}
        keep = np.array([0, frames])
        features = self._lstm.run(["features"], {"latents": latents, "keep": keep, **state})[0]
        pieces = []
        for first, start, end in _chunks(frames):
            check()
            piece = np.ascontiguousarray(features[:, :, first:end])
            sound = self._sound.run(None, {"features": piece})[0][:, 0]
            pieces.append(sound[:, (start - first) * self.config.hop :])
        return np.concatenate(pieces, axis=1)

    @staticmethod
    def _enough(frames: int) -> None:
        if frames < MIN_FRAMES:
            raise ValueError(f"{frames} frames of sound are too few: {MIN_FRAMES} are needed")


def _chunks(frames: int) -> Iterator[tuple[int, int, int]]:
    """Where to read from, what to keep from, and where to end."""
    for start in range(0, frames, CHUNK):
        yield max(start - CONTEXT, 0), start, min(start + CHUNK, frames)
