"""Keys, chords and voicings. Knows music theory only: no genres, no time, no sound."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
}
TONICS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_NATURALS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_ACCIDENTALS = {"": 0, "#": 1, "♯": 1, "sharp": 1, "b": -1, "♭": -1, "flat": -1}
_KEY = re.compile(
    r"([a-g])[\s-]?(#|♯|♭|b|sharp|flat|)[\s-]*"
    r"(major|maj|minor|min|dorian|phrygian|lydian|mixolydian|m|)",
    re.IGNORECASE,
)
_MODES = {"": "major", "maj": "major", "min": "minor", "m": "minor"}

_DEGREES = {"I": 0, "II": 2, "III": 4, "IV": 5, "V": 7, "VI": 9, "VII": 11}
_NUMERAL = re.compile(r"([b#]?)(VII|VI|IV|V|III|II|I|vii|vi|iv|v|iii|ii|i)(.*)")
_COLOURS: dict[str, tuple[int, ...]] = {
    "7": (10,),
    "maj7": (11,),
    "9": (10, 14),
    "maj9": (11, 14),
    "6": (9,),
    "add9": (14,),
}
_SHAPES: dict[str, tuple[int, ...]] = {
    "5": (0, 7),
    "sus4": (0, 5, 7),
    "sus2": (0, 2, 7),
    "7sus4": (0, 5, 7, 10),
    "dim": (0, 3, 6),
    "m7b5": (0, 3, 6, 10),
}


@dataclass(frozen=True)
class Key:
    """A tonic (pitch class, 0 = C) and the name of its mode."""

    tonic: int
    mode: str

    @classmethod
    def parse(cls, text: str) -> "Key":
        """Read "A minor", "F#m", "Bb major", "c sharp dorian"; ValueError for anything else."""
        match = _KEY.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"not a key: {text!r}; write it like 'A minor' or 'F# major'")
        letter, accidental, mode = match.groups()
        tonic = _NATURALS[letter.lower()] + _ACCIDENTALS[accidental.lower()]
        return cls(tonic % 12, _MODES.get("m" if mode == "m" else mode.lower(), mode.lower()))

    @property
    def minor(self) -> bool:
        return 3 in SCALES[self.mode]

    @property
    def pitch_classes(self) -> frozenset[int]:
        return frozenset((self.tonic + step) % 12 for step in SCALES[self.mode])

    def __str__(self) -> str:
        return f"{TONICS[self.tonic]} {self.mode}"


@dataclass(frozen=True)
class Chord:
    """A root (pitch class) and the intervals above it, in semitones."""

    root: int
    intervals: tuple[int, ...]

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        return tuple((self.root + interval) % 12 for interval in self.intervals)

    @property
    def third(self) -> int:
        return next((i for i in self.intervals if i in (3, 4)), self.fifth)

    @property
    def fifth(self) -> int:
        return next((i for i in self.intervals if i in (6, 7, 8)), 7)


def chord(numeral: str, tonic: int) -> Chord:
    """The chord that a Roman numeral names. Degrees count from the major scale; lower case is minor."""
    match = _NUMERAL.fullmatch(numeral)
    if match is None:
        raise ValueError(f"not a Roman numeral: {numeral!r}")
    accidental, degree, colour = match.groups()
    root = (tonic + _DEGREES[degree.upper()] + _ACCIDENTALS[accidental]) % 12
    triad = (0, 3, 7) if degree.islower() else (0, 4, 7)
    return Chord(root, _SHAPES[colour] if colour in _SHAPES else triad + _COLOURS.get(colour, ()))


def bars(progression: str, tonic: int) -> list[tuple[Chord, ...]]:
    """The chords of each bar: bars are parted by spaces, chords within a bar by a slash."""
    return [tuple(chord(numeral, tonic) for numeral in bar.split("/")) for bar in progression.split()]


def nearest(pitch_class: int, centre: float) -> int:
    """The pitch of this class nearest to `centre` (MIDI numbers)."""
    return round((centre - pitch_class) / 12) * 12 + pitch_class


def ladder(pitch_classes: Iterable[int], low: int, high: int) -> list[int]:
    """Every pitch from `low` to `high` whose class is in the set, ascending."""
    members = frozenset(pitch_classes)
    return [pitch for pitch in range(low, high + 1) if pitch % 12 in members]


def voicing(chord: Chord, centre: float, previous: Sequence[int] = ()) -> tuple[int, ...]:
    """The close position of the chord that moves least from the previous voicing, without straying."""
    # Five-note chords leave out the root: the bass has it, and the hand stays small.
    classes = chord.pitch_classes[1:] if len(chord.intervals) > 4 else chord.pitch_classes
    candidates = []
    for turn in range(len(classes)):
        lowest = nearest(classes[turn], centre - 5)
        pitches = [lowest]
        for pitch_class in classes[turn + 1 :] + classes[:turn]:
            pitches.append(pitches[-1] + ((pitch_class - pitches[-1]) % 12 or 12))
        candidates.append(tuple(pitches))
    return min(candidates, key=lambda pitches: _distance(pitches, centre, previous))


def _distance(pitches: Sequence[int], centre: float, previous: Sequence[int]) -> float:
    stray = abs(sum(pitches) / len(pitches) - centre)
    if not previous:
        return stray
    moved = sum(min(abs(pitch - old) for old in previous) for pitch in pitches)
    return moved + 0.6 * stray
