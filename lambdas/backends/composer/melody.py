"""The tune: a motif that is answered, repeated, developed and brought home. Makes no sound.

A phrase is four bars: motif, answer, motif again (moved or varied), cadence. Phrases pair up as question and
answer: the first rests on the fifth or the third of its chord, the second on the root.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from lambdas.backends.composer import harmony
from lambdas.backends.composer.arrangement import Bar
from lambdas.backends.composer.harmony import Chord
from lambdas.backends.composer.score import Note, Part, Score

# One-bar rhythms, sparse to dense; each part names its pool.
RHYTHMS: dict[str, tuple[str, ...]] = {
    "air": ("x-----------....", "x-------x-------", "x---------x-----", "....x-------x---"),
    "song": (
        "x---x---x-------",
        "x--x--x---x-....",
        "..x-x-x-x---x-x-",
        "x-x-x---x-x-x---",
        "x--x--x-x-x-x-x-",
    ),
    "hook": (
        "x--x--x--x--x-x-",
        "x---..x-x--x--..",
        "x-x-..x-x-x-..x-",
        "x--x--x-..x-x-x-",
        "x-xxx-x-x-xxx-x-",
    ),
    "swung": (
        "x---..x-....x-..",
        "..x-x---..x-x-x-",
        "x-x-x-x---..x-..",
        "x-x-x-x-x-x-x---",
        "x-x-x-x-x-x-x-x-",
    ),
    "sixteenth": ("x--x..x.x...x.x.", "x.xx..x-x.xx....", "x--xx-x-..xxx-x-", "x-xxx-xxx-x-xxx-"),
    "march": ("x-----x-x---x---", "x---x---x-x-x---", "x-x-x-x-x---x---", "x-x-x-x-x-x-x-x-"),
}
_CADENCES = ("x-------........", "x---x-------....", "x-x-x-------....")
_MOVES = (-1, 1, -2, 2, -3, 3, 0)
_ODDS = (0.3, 0.3, 0.1, 0.12, 0.05, 0.07, 0.06)
_REACH = 9  # semitones the tune may stray from its centre


@dataclass(frozen=True)
class Motif:
    """A bar of tune: a rhythm, and for each of its notes a move in scale steps from the bar's first note."""

    rhythm: str
    contour: tuple[int, ...]

    def inverted(self) -> "Motif":
        return replace(self, contour=tuple(-move for move in self.contour))

    def onsets(self) -> list[tuple[int, int]]:
        """Where each note starts, and how long it is held, in steps."""
        return [(held.start(), len(held.group())) for held in re.finditer("x-*", self.rhythm)]


def lead(score: Score, part: Part, song: list[Bar]) -> Iterator[Note]:
    """The melody of the whole song, and the tonic on its final chord."""
    tune = _Tune(score, part)
    for index, bar in enumerate(song):
        if bar.final:
            yield tune.home(bar)
        elif bar.energy >= part.entry:
            before_end = song[index + 1].final
            yield from tune.bar(bar, before_end)


class _Tune:
    def __init__(self, score: Score, part: Part) -> None:
        self._score = score
        self._centre = part.centre + score.character.register
        self._pool = part.figures[0] if part.figures else "song"
        self._here = float(self._centre)
        self._motifs = {name: self._invent(name) for name in ("verse", "chorus")}

    def bar(self, bar: Bar, before_end: bool) -> Iterator[Note]:
        place = bar.within % 4
        closes = place == 3 or (before_end and bar.section.bars > 1)
        motif = self._cadence(bar) if closes else self._developed(bar, place)
        lift = 4 if bar.section.name == "chorus" else 0
        ladder = self._ladder(bar.chords[0])
        anchor = self._anchor(bar, place, lift, ladder)
        if not closes:
            anchor -= round(float(np.mean(motif.contour)))  # the bar as a whole sits where it was aimed
        for (start, length), move in zip(motif.onsets(), motif.contour, strict=False):
            if start >= bar.steps:
                break
            length = min(length, int(bar.steps) - start)
            strong = start % 8 == 0 or length >= 4
            pitch = ladder[min(max(anchor + move, 0), len(ladder) - 1)]
            if move == 0 if closes else strong:
                pitch = self._settle(pitch, bar.chord_at(start))
            self._here = pitch
            accent = (0.92 if strong else 0.76) * (0.85 + 0.15 * bar.energy)
            yield Note(bar.start + start, length, pitch, accent)

    def home(self, bar: Bar) -> Note:
        return Note(bar.start, bar.steps, harmony.nearest(self._score.key.tonic, self._here), 0.8)

    def _invent(self, name: str) -> tuple[Motif, Motif]:
        """A motif and its answer for a kind of section."""
        rng = self._score.stream("melody", self._pool, name)
        rhythms = RHYTHMS[self._pool]
        lift = 0.15 if name == "chorus" else 0.0
        first, second = (self._rhythm(rng, rhythms, lift) for _ in range(2))
        return Motif(first, _contour(rng, first)), Motif(second, _contour(rng, second))

    def _rhythm(self, rng: np.random.Generator, rhythms: tuple[str, ...], lift: float) -> str:
        place = rng.normal((self._score.character.density + lift) * (len(rhythms) - 1), 0.7)
        return rhythms[min(max(round(place), 0), len(rhythms) - 1)]

    def _developed(self, bar: Bar, place: int) -> Motif:
        """The motif in this bar: verse and chorus own one each, the bridge turns the verse's upside down."""
        motif, answer = self._motifs["chorus" if bar.section.name == "chorus" else "verse"]
        if bar.section.name == "bridge":
            motif, answer = answer.inverted(), motif
        if place == 1:
            return answer
        if place == 2 and bar.section.repeat % 2:
            return motif.inverted()
        if bar.section.repeat and bar.within >= 4:
            return _ornamented(motif)
        return motif

    def _cadence(self, bar: Bar) -> Motif:
        busy = 2 if self._score.character.density > 0.6 else 1 if self._score.character.density > 0.3 else 0
        moves = ((0,), (1, 0), (2, 1, 0))[busy]
        return Motif(_CADENCES[busy], moves)

    def _ladder(self, chord: Chord) -> list[int]:
        # A chord from outside the key bends the scale: its own tones replace their chromatic neighbours.
        foreign = frozenset(chord.pitch_classes) - self._score.key.pitch_classes
        bent = {(p + shift) % 12 for p in foreign for shift in (-1, 1)} - frozenset(chord.pitch_classes)
        scale = (self._score.key.pitch_classes - bent) | foreign
        return harmony.ladder(scale, self._centre - _REACH, self._centre + _REACH + 2)

    def _anchor(self, bar: Bar, place: int, lift: int, ladder: list[int]) -> int:
        """Where the bar's first note goes: near the last note, drawn to the section's register."""
        rise = 2 if place == 2 else 0
        target = 0.45 * self._here + 0.55 * (self._centre + lift + rise)
        chord = bar.chords[0]
        if place == 3:
            question = bar.within % 8 == 3
            goal = harmony.nearest((chord.root + (chord.fifth if question else 0)) % 12, target)
        else:
            goal = self._settle(round(target), chord)
        return min(range(len(ladder)), key=lambda index: abs(ladder[index] - goal))

    def _settle(self, pitch: int, chord: Chord) -> int:
        """The chord tone nearest to a pitch."""
        tones = (harmony.nearest(tone, pitch) for tone in chord.pitch_classes)
        return min(tones, key=lambda tone: (abs(tone - pitch), tone))


def _contour(rng: np.random.Generator, rhythm: str) -> tuple[int, ...]:
    """Mostly steps; a leap is followed by a step back, as singers do; gravity pulls towards the start."""
    moves = [0]
    leapt = 0
    for _ in range(rhythm.count("x") - 1):
        move = -int(np.sign(leapt)) if leapt else int(rng.choice(_MOVES, p=_ODDS))
        leapt = move if abs(move) > 2 else 0
        if abs(moves[-1] + move) > 4:
            move = -move
        moves.append(moves[-1] + move)
    return tuple(moves)


def _ornamented(motif: Motif) -> Motif:
    """The first long note split in two, touching its upper neighbour."""
    onsets = motif.onsets()
    for index, (start, length) in enumerate(onsets):
        if length >= 4:
            middle = start + length // 2
            rhythm = motif.rhythm[:middle] + "x" + motif.rhythm[middle + 1 :]
            contour = (*motif.contour[: index + 1], motif.contour[index] + 1, *motif.contour[index + 1 :])
            return Motif(rhythm, contour)
    return motif
