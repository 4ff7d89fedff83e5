"""What is written down before anything sounds: notes, parts, and the score. Plain values."""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from lambdas.backends.composer.harmony import Key


@dataclass(frozen=True)
class Note:
    """A pitched note. `step` and `length` count sixteenths; `pitch` is a MIDI number; `velocity` 0 to 1."""

    step: float
    length: float
    pitch: int
    velocity: float


@dataclass(frozen=True)
class Hit:
    """A stroke on one piece of the drum kit."""

    step: float
    drum: str
    velocity: float


@dataclass(frozen=True)
class Part:
    """One player: what it plays, on which instrument, and where it sits in the mix.

    `figures` are rhythms from sparse to dense, read by the role's own composer. `level` is in decibels,
    `pan` runs from -1 (left) to 1, `entry` is the section energy (0 to 1) from which the part plays,
    `echo` the level of a dotted-eighth delay and `send` the level into the reverb.
    """

    role: str
    voice: str
    figures: tuple[str, ...] = ()
    level: float = 0.0
    pan: float = 0.0
    centre: int = 60
    entry: float = 0.0
    echo: float = 0.0
    send: float = 0.2
    strum: float = 0.0  # seconds from one string of a chord to the next


@dataclass(frozen=True)
class Groove:
    """What the drummer was told, and how everybody's time is bent to it."""

    beat: str | None
    kit: str
    swing: float  # share of a swung pair that its first half takes; 0.5 is straight
    swing_unit: int  # sixteenths in a swung pair: 4 swings eighths, 2 sixteenths
    level: float  # decibels
    kick_boost: float  # decibels
    pump: float  # depth of the kick's ducking of everything else, 0 to 1


@dataclass(frozen=True)
class Character:
    """How it is played: what the moods of the prompt made of the style."""

    density: float  # 0 to 1
    energy: float  # 0 to 1
    brightness: float  # octaves by which every instrument's cutoff moves
    register: int  # semitones by which melodies move
    space: float  # factor on the reverb


@dataclass(frozen=True)
class Score:
    """Everything that was decided about a song before its length is known."""

    genre: str
    tempo: float  # beats per minute
    key: Key
    seed: int
    moods: tuple[str, ...]
    parts: tuple[Part, ...]
    progressions: tuple[str, str, str]  # Roman numerals of verse, chorus and bridge
    cadence: str
    final: str
    groove: Groove
    character: Character
    entropy: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.genre} in {self.key}, {self.tempo:g} bpm"

    def stream(self, *names: object) -> np.random.Generator:
        """A random stream of its own for each name, so that one part's choices never shift another's."""
        return stream(self.entropy, self.seed, *names)


def stream(*names: object) -> np.random.Generator:
    digest = hashlib.sha256("\x1f".join(str(name) for name in names).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))
