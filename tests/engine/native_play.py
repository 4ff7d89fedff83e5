"""Songs on a native decoder over random weights, for the tests of that decoder."""

from pathlib import Path
from typing import Any

import numpy as np

from model_container.engine.decoder import Decoder, DecoderWeights, FloatArray
from model_container.engine.native import NativeDecoder
from model_container.native.pack import Format, pack


def open_native(
    folder: Path, weights: DecoderWeights, format: Format = Format.INT8, group: int = 32, **options: Any
) -> NativeDecoder:
    file = folder / f"{format.name}-{group}.cadenza"
    if not file.exists():
        pack(weights, file, format, group)
    return NativeDecoder(file, weights.config, **({"slots": 3, "positions": 80, "threads": 1} | options))


class Play:
    """Songs stepped together on one decoder, with inputs that depend on the song and the position alone."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder, self.hidden = decoder, decoder.config.hidden

    def text(self, song: int) -> FloatArray:
        tokens = 0 if self.decoder.config.melody else 3 + song
        return np.random.default_rng((song, 7)).standard_normal((tokens, self.hidden), np.float32)

    def input(self, song: int, position: int) -> FloatArray:
        return np.random.default_rng((song, position, 8)).standard_normal(self.hidden, np.float32)

    def admit(self, *songs: int) -> None:
        for song in songs:
            self.decoder.admit(song, self.text(song))

    def step(self, *places: tuple[int, int]) -> FloatArray:
        """places: (song, position); a song lives in the slot of its number."""
        songs, positions = np.array(places, np.int64).T
        hidden = np.stack([self.input(song, position) for song, position in places])
        guidance = np.array([2.0 + song / 2 for song in songs], np.float32)
        return self.decoder.step(songs, hidden, positions, guidance)

    def alone(self, song: int, count: int) -> list[FloatArray]:
        self.admit(song)
        return [self.step((song, position))[0] for position in range(count)]


def relative_rms(values: list[FloatArray], reference: list[FloatArray]) -> float:
    return float(np.sqrt(np.square(np.array(values) - reference).mean() / np.array(reference).var()))
