"""What a style is, and the shapes of its parts. The styles themselves are the table in genres.py."""

from dataclasses import dataclass

from lambdas.backends.composer.score import Part


@dataclass(frozen=True)
class Tonality:
    """How a style sounds in major, or in minor: its mode, its progressions, how it ends."""

    mode: str
    progressions: tuple[str, ...]
    cadence: str
    final: str


@dataclass(frozen=True)
class Style:
    """One row of the table of genres."""

    words: tuple[str, ...]  # what the prompt may call it
    tempo: tuple[int, int]  # beats per minute, of an ordinary song
    minor: float  # share of songs in minor
    major_key: Tonality
    minor_key: Tonality
    parts: tuple[Part, ...]
    beats: tuple[str, ...] = ()
    kit: str = "acoustic"
    swing: float = 0.5
    swing_unit: int = 4
    energy: float = 0.7
    density: float = 0.5
    space: float = 1.0
    pump: float = 0.0
    brightness: float = 0.0
    drum_level: float = -2.0  # decibels


def bass(voice: str, *figures: str, level: float = 3.0, centre: int = 36, entry: float = 0.5) -> Part:
    return Part("bass", voice, figures, level, 0.0, centre, entry, send=0.02)


def chords(
    voice: str, *figures: str, level: float = -7.0, pan: float = -0.25, centre: int = 60, entry: float = 0.2,
    echo: float = 0.0, send: float = 0.2, strum: float = 0.0,
) -> Part:  # fmt: skip
    return Part("chords", voice, figures, level, pan, centre, entry, echo, send, strum)


def arpeggio(
    voice: str, *figures: str, level: float = -5.0, pan: float = 0.3, centre: int = 67, entry: float = 0.3,
    echo: float = 0.25, send: float = 0.25,
) -> Part:  # fmt: skip
    return Part("arpeggio", voice, figures, level, pan, centre, entry, echo, send)


def pad(voice: str, level: float = -13.0, centre: int = 60, entry: float = 0.0, send: float = 0.4) -> Part:
    return Part("pad", voice, (), level, 0.0, centre, entry, 0.0, send)


def lead(
    voice: str, rhythm: str, level: float = -1.0, centre: int = 72, pan: float = 0.1, entry: float = 0.55,
    echo: float = 0.15, send: float = 0.3,
) -> Part:  # fmt: skip
    return Part("lead", voice, (rhythm,), level, pan, centre, entry, echo, send)


def riff(voice: str, *figures: str, level: float = -2.0, pan: float = 0.0, centre: int = 43) -> Part:
    """Power chords: a bass line's figures on a guitar whose voice is the whole chord."""
    return Part("riff", voice, figures, level, pan, centre, 0.3, send=0.1)
