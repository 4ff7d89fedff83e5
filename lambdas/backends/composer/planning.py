"""A prompt and a seed become a score. Decides everything but the length; makes no notes and no sound."""

import re
from dataclasses import dataclass, replace

import numpy as np

from lambdas.backends.composer.genres import GENRES
from lambdas.backends.composer.harmony import Key
from lambdas.backends.composer.score import Part, Score, stream
from lambdas.backends.composer.styles import Style, Tonality, arpeggio, bass, chords, lead, pad, riff
from lambdas.backends.composer.words import (
    DRUMS,
    HEAVY_BASS,
    INSTRUMENTS,
    MOODS,
    NAMES_OF_ROLES,
    SPEEDS,
    Mood,
    Text,
    tempo_in,
)

SLOWEST, FASTEST = 40.0, 240.0
_DEFAULT = "pop"
_MINOR = ("minor", "minor key")
_MAJOR = ("major", "major key")
_FILLERS = ("music", "song", "track", "with", "and", "a", "an", "the", "of", "very")
_KEY = re.compile(
    r"(?<!\w)([A-Ga-g](?:[#♯♭b]|[ -]sharp|[ -]flat)?[ -]?"
    r"(?:major|minor|dorian|phrygian|lydian|mixolydian))(?!\w)"
)
_BASIC = {
    "chords": chords("piano", "x-------x-------", "x---x---x---x---", "x--x--x-x--x--x-", level=-6),
    "arpeggio": arpeggio("harp", "0---2---1---2---", "0-2-1-2-3-2-1-2-", level=-6),
    "pad": pad("strings", -12),
    "lead": lead("flute", "song", -3),
    "bass": bass("electric bass", "R-------5-------", "R-----R-R-----5-"),
    "riff": riff("overdriven guitar", "R-------R-------", "R---R-R-R---R-R-", level=-5, pan=-0.3),
}
_HEAVY_DB = 6.0


@dataclass(frozen=True)
class _Feeling:
    """The sum of what all mood words change."""

    tempo: float
    brightness: float
    density: float
    register: int
    energy: float
    space: float

    @classmethod
    def of(cls, moods: list[Mood]) -> "_Feeling":
        return cls(
            tempo=float(np.prod([mood.tempo for mood in moods])),
            brightness=max(-1.2, min(0.8, sum(mood.brightness for mood in moods))),
            density=sum(mood.density for mood in moods),
            register=max(-7, min(7, sum(mood.register for mood in moods))),
            energy=sum(mood.energy for mood in moods),
            space=float(np.prod([mood.space for mood in moods])),
        )


def plan(prompt: str, seed: int, bpm: float | None = None, key: str | None = None) -> Score:
    """Plan a song from the words of the prompt; the seed decides what the words leave open.

    `bpm` (40 to 240) and `key` ("A minor") override the prompt. Raises ValueError for either out of range.
    Any text gives music: words that mean nothing musical still change the tune, and no words give pop.
    """
    if bpm is not None and not SLOWEST <= bpm <= FASTEST:
        raise ValueError(f"bpm must be from {SLOWEST:g} to {FASTEST:g}, not {bpm}")
    text = Text.read(prompt)
    genre = _genre(text)
    style = GENRES[genre]
    entropy = f"{genre}: {_other_words(prompt, text)}"
    rng = stream(entropy, seed, "plan")
    moods = text.moods()
    feeling = _Feeling.of(list(moods.values()))
    wished = Key.parse(key) if key else _key_in(prompt)
    chosen, tonality = _tonality(style, text, moods, wished, rng)
    order = rng.permutation(len(tonality.progressions))
    verse, chorus, bridge = (tonality.progressions[order[i % len(order)]] for i in range(3))
    heavy = text.has(HEAVY_BASS)
    return Score(
        genre=genre,
        tempo=bpm or tempo_in(prompt) or _tempo(style, feeling.tempo * text.speed(), rng),
        key=chosen,
        seed=seed,
        parts=_band(style, text, heavy),
        progressions=(verse, chorus, bridge),
        cadence=tonality.cadence,
        final=tonality.final,
        beat=_beat(style, text, rng),
        kit=style.kit,
        swing=style.swing,
        swing_unit=style.swing_unit,
        moods=tuple(moods),
        density=min(1.0, max(0.0, style.density + feeling.density)),
        energy=min(1.0, max(0.2, style.energy + feeling.energy)),
        brightness=style.brightness + feeling.brightness,
        register=feeling.register,
        space=min(3.0, style.space * feeling.space),
        pump=style.pump,
        drum_level=style.drum_level + 8 * min(0.0, feeling.energy),
        kick_boost=2.5 if heavy else 0.0,
        entropy=entropy,
    )


def _genre(text: Text) -> str:
    """The genre named first; of two that begin at the same word, the longer name."""
    places = {name: text.place((*style.words, name)) for name, style in GENRES.items()}
    found = [(place, name) for name, place in places.items() if place is not None]
    return min(found)[1] if found else _DEFAULT


def _other_words(prompt: str, text: Text) -> str:
    """The words that decide nothing else. They seed the tune: a mood word alone must not change the song."""
    if not text.plain.strip():
        return prompt
    plain = text.plain
    known = [word for style in GENRES.values() for word in style.words]
    known += [*GENRES, *SPEEDS, *HEAVY_BASS, *DRUMS, *NAMES_OF_ROLES, *_MINOR, *_MAJOR, *_FILLERS]
    known += [word for mood in MOODS.values() for word in mood.words]
    known += [word for instrument in INSTRUMENTS for word in instrument.words]
    for phrase in sorted(known, key=len, reverse=True):
        plain = plain.replace(f" {phrase} ", " ").replace(f" {phrase} ", " ")
    return plain.strip()


def _key_in(prompt: str) -> Key | None:
    match = _KEY.search(prompt)
    # "a minor setback" names no key: the article is only ever lower case, and so is not a tonic on its own.
    return Key.parse(match.group(1)) if match and not match.group(1).startswith("a ") else None


def _tonality(
    style: Style, text: Text, moods: dict[str, Mood], wished: Key | None, rng: np.random.Generator
) -> tuple[Key, Tonality]:
    tonic = int(rng.integers(12))
    minor = bool(rng.random() < style.minor)
    for mood in reversed(moods.values()):
        minor = minor if mood.minor is None else mood.minor
    minor = text.has(_MINOR) or (minor and not text.has(_MAJOR))
    if wished is not None:
        return wished, style.minor_key if wished.minor else style.major_key
    tonality = style.minor_key if minor else style.major_key
    return Key(tonic, tonality.mode), tonality


def _tempo(style: Style, factor: float, rng: np.random.Generator) -> float:
    slow, fast = style.tempo
    return float(round(min(max(rng.uniform(slow, fast) * factor, 45.0), 200.0)))


def _beat(style: Style, text: Text, rng: np.random.Generator) -> str | None:
    choice = style.beats[int(rng.integers(len(style.beats)))] if style.beats else None
    if any(word in text.refused for word in DRUMS):
        return None
    return "soft" if choice is None and text.has(DRUMS) else choice


def _band(style: Style, text: Text, heavy: bool) -> tuple[Part, ...]:
    """The style's parts, with the instruments that the words ask for and without those they refuse."""
    parts = list(style.parts)
    for wish in text.instruments():
        place = next((index for index, part in enumerate(parts) if part.role == wish.role), None)
        if place is None:
            parts.append(replace(_BASIC[wish.role], voice=wish.voice))
        else:
            # What was asked for by name is heard, and from the start.
            asked = parts[place]
            entry = min(asked.entry, 0.4)
            parts[place] = replace(asked, voice=wish.voice, level=max(asked.level, -6.0), entry=entry)
    if heavy:
        if not any(part.role == "bass" for part in parts):
            parts.append(_BASIC["bass"])
        parts = [replace(p, level=p.level + _HEAVY_DB) if p.role == "bass" else p for p in parts]
    refused = _refused_roles(text)
    kept = tuple(part for part in parts if part.role not in refused and part.voice not in refused)
    return kept or style.parts


def _refused_roles(text: Text) -> frozenset[str]:
    voices = {one.voice for one in INSTRUMENTS for word in one.words if word in text.refused}
    return frozenset(voices | {NAMES_OF_ROLES[word] for word in text.refused if word in NAMES_OF_ROLES})
