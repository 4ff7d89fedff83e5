"""Bass, chords, arpeggios and pads: figures read against the harmony. Makes no sound.

A figure is a bar (or two) of sixteenths: a symbol starts a note, "-" holds it, "." is silence. Bass symbols:
R root, 3 to 8 the step above it, w any tone of the chord, a approach to the next root. Chord symbols: x and X
(accent) for the whole chord, digits for single voices.
"""

from collections.abc import Iterator

import numpy as np

from lambdas.backends.composer import harmony
from lambdas.backends.composer.arrangement import Bar
from lambdas.backends.composer.harmony import Chord
from lambdas.backends.composer.score import Note, Part, Score


def written(figure: str, bar: Bar) -> Iterator[tuple[int, int, str]]:
    """(step within the bar, length in steps, symbol) of every note the figure has in this bar."""
    offset = (bar.within * 16) % len(figure)
    cell = figure[offset : offset + 16]
    limit = int(min(bar.steps, 16))
    for step in range(limit):
        if cell[step] in "-.":
            continue
        length = 1
        while step + length < limit and cell[step + length] == "-":
            length += 1
        yield step, length, cell[step]


def figure_for(score: Score, part: Part, bar: Bar) -> str:
    """Busier music takes a later figure of the part; choruses are busier than verses."""
    busy = score.character.density + 0.35 * (bar.energy - 0.6)
    return part.figures[min(max(int(busy * len(part.figures)), 0), len(part.figures) - 1)]


def bass(score: Score, part: Part, song: list[Bar]) -> Iterator[Note]:
    rng = score.stream(part.role)
    for bar in song:
        if bar.final:
            yield Note(bar.start, bar.steps, harmony.nearest(bar.chords[0].root, part.centre), 0.85)
        elif bar.energy >= part.entry:
            yield from _bass_bar(score, part, bar, rng)


def _bass_bar(score: Score, part: Part, bar: Bar, rng: np.random.Generator) -> Iterator[Note]:
    for step, length, symbol in written(figure_for(score, part, bar), bar):
        chord = bar.chord_at(step)
        # A chord that changes under a held note is played at its change.
        pitch = _bass_pitch(symbol, chord, bar.next_chord, part.centre, rng)
        accent = 0.9 if step % 8 == 0 else 0.78
        yield Note(bar.start + step, length, pitch, accent * rng.uniform(0.94, 1.0))


def _bass_pitch(symbol: str, chord: Chord, following: Chord, centre: int, rng: np.random.Generator) -> int:
    root = harmony.nearest(chord.root, centre)
    if symbol == "a":
        target = harmony.nearest(following.root, centre)
        return target + (1 if root > target else -1 if root < target else int(rng.choice((-1, 2))))
    if symbol == "w":  # walking: any tone of the chord
        return root + int(rng.choice((chord.third, chord.fifth, chord.fifth, 12)))
    seventh = next((i for i in chord.intervals if i in (9, 10, 11)), 12)
    above = {"R": 0, "3": chord.third, "5": chord.fifth, "7": seventh, "8": 12, "6": 9, "4": 5}[symbol]
    pitch = root + above
    return pitch - 12 if symbol == "5" and pitch > centre + 8 else pitch


def chords(score: Score, part: Part, song: list[Bar]) -> Iterator[Note]:
    rng = score.stream(part.role)
    voicing: tuple[int, ...] = ()
    for bar in song:
        if bar.final:
            for pitch in harmony.voicing(bar.chords[0], part.centre, voicing):
                yield Note(bar.start, bar.steps, pitch, 0.75)
        elif bar.energy >= part.entry:
            for step, length, symbol in written(figure_for(score, part, bar), bar):
                voicing = harmony.voicing(bar.chord_at(step), part.centre, voicing)
                touch = (0.95 if symbol == "X" else 0.78) * rng.uniform(0.9, 1.0)
                for pitch in _voices(symbol, voicing):
                    yield Note(bar.start + step, length, pitch, touch)


def _voices(symbol: str, voicing: tuple[int, ...]) -> tuple[int, ...]:
    if not symbol.isdigit():
        return voicing
    octave, index = divmod(int(symbol), len(voicing))
    return (voicing[index] + 12 * octave,)


def pad(score: Score, part: Part, song: list[Bar]) -> Iterator[Note]:
    voicing: tuple[int, ...] = ()
    for bar in song:
        if bar.energy < part.entry and not bar.final:
            continue
        share = bar.steps / len(bar.chords)
        for index, chord in enumerate(bar.chords):
            voicing = harmony.voicing(chord, part.centre, voicing)
            for pitch in voicing:
                yield Note(bar.start + index * share, share, pitch, 0.5 + 0.3 * bar.energy)
