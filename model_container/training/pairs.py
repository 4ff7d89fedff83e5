"""Which segments are trained on, and in what order: pure choices, the same again for the same seed.

Songs are split before anything is cut from them, so that no second of a song is on both sides.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from model_container.training.recipe import Recipe, TrainingError
from model_container.training.songs import RATE, Song

MOST_SONGS = 1_000_000  # apart, so that seeds of epochs and of splits never meet


@dataclass(frozen=True)
class Pair:
    """Two segments of a song, one after the other: the first starts at sample `start`."""

    song: Song
    start: int
    length: int

    def first(self) -> Tensor:
        """[N], between -1 and 1."""
        return self._segment(self.start)

    def second(self) -> Tensor:
        return self._segment(self.start + self.length)

    def _segment(self, start: int) -> Tensor:
        return torch.from_numpy(self.song.samples()[start : start + self.length].astype(np.float32) / 32768)


@dataclass(frozen=True)
class Corpus:
    """Pairs to train on and pairs to validate on, of different songs."""

    training: tuple[Pair, ...]
    validation: tuple[Pair, ...]

    def fingerprint(self) -> str:
        """The same for the same pairs, wherever their files lie."""
        sides = (self.training, self.validation)
        told = repr([[(pair.song.key, pair.start, pair.length) for pair in side] for side in sides])
        return hashlib.sha256(told.encode()).hexdigest()


def corpus(songs: Sequence[Song], recipe: Recipe) -> Corpus:
    """Split the songs, then cut them. Raises TrainingError when too few are long enough."""
    length = round(recipe.seconds * RATE)
    long = [song for song in songs if song.length >= 2 * length]
    if len(long) < 2:
        raise TrainingError(
            f"{len(long)} of {len(songs)} songs last {2 * recipe.seconds:g} s or more; "
            "training needs at least two such songs, one of them to validate on"
        )
    training, validation = split(long, recipe.validation, recipe.seed)
    kept = max(1, round(recipe.max_pairs * recipe.validation))
    return Corpus(
        _pairs(training, length, recipe.pairs_per_song, max(1, recipe.max_pairs - kept)),
        _pairs(validation, length, recipe.pairs_per_song, kept),
    )


def split(songs: Sequence[Song], share: float, seed: int) -> tuple[list[Song], list[Song]]:
    """Songs to train on, and to validate on: at least one of each, whatever order they come in."""
    shuffled = sorted(songs, key=lambda song: hashlib.sha256(f"{seed} {song.key}".encode()).digest())
    kept = min(max(1, round(len(songs) * share)), len(songs) - 1)
    return shuffled[kept:], shuffled[:kept]


def batches(count: int, size: int, *, seed: int, epoch: int, rank: int, world: int) -> Iterator[list[int]]:
    """An epoch's batches of one process: each index once over all of them, some twice to fill the last."""
    order = _random(seed, epoch).permutation(count)
    steps = -(-count // (size * world))
    filled = np.resize(order, steps * size * world).reshape(steps, world, size)
    return iter(filled[:, rank].tolist())


def partners(count: int, *, seed: int, epoch: int) -> list[int]:
    """For each pair, the pair whose second segment takes its own one's place."""
    partners: list[int] = _random(seed, MOST_SONGS + epoch).integers(count, size=count).tolist()
    return partners


def _pairs(songs: Sequence[Song], length: int, per_song: int, most: int) -> tuple[Pair, ...]:
    """Spread over each song; the songs take turns, so that a limit cuts pairs before it cuts songs."""
    turns: list[tuple[int, Pair]] = []
    for song in songs:
        available = song.length // length - 1
        chosen = np.unique(np.linspace(0, available - 1, min(per_song, available)).round().astype(int))
        turns += enumerate(Pair(song, int(index) * length, length) for index in chosen)
    return tuple(pair for _, pair in sorted(turns, key=lambda turn: turn[0]))[:most]


def _random(*seeds: int) -> np.random.Generator:
    return np.random.default_rng(seeds)
