"""A prompt and a seed become a score. Decides everything but the length; makes no notes and no sound."""

import math
import re
from dataclasses import replace

import numpy as np

from lambdas.backends.composer.genres import GENRES
from lambdas.backends.composer.harmony import Key
from lambdas.backends.composer.score import Character, Groove, Part, Score, stream
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
    moods = text.moods()
    wished = Key.parse(key) if key else _key_in(prompt)
    chosen, tonality = _tonality(style, text, moods, wished, stream(entropy, seed, "key"))
    return Score(
        genre=genre,
        tempo=bpm or tempo_in(prompt) or _tempo(style, text, moods, stream(entropy, seed, "tempo")),
        key=chosen,
        seed=seed,
        moods=tuple(moods),
        parts=_band(style, text),
        progressions=_progressions(tonality, stream(entropy, seed, "progressions")),
        cadence=tonality.cadence,
        final=tonality.final,
        groove=_groove(style, text, moods, stream(entropy, seed, "beat")),
        character=_character(style, moods),
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


def _progressions(tonality: Tonality, rng: np.random.Generator) -> tuple[str, str, str]:
    order = rng.permutation(len(tonality.progressions))
    verse, chorus, bridge = (tonality.progressions[order[index % len(order)]] for index in range(3))
    return verse, chorus, bridge


def _tempo(style: Style, text: Text, moods: dict[str, Mood], rng: np.random.Generator) -> float:
    slow, fast = style.tempo
    factor = text.speed() * math.prod(mood.tempo for mood in moods.values())
    return float(round(min(max(rng.uniform(slow, fast) * factor, 45.0), 200.0)))


def _groove(style: Style, text: Text, moods: dict[str, Mood], rng: np.random.Generator) -> Groove:
    beat = style.beats[int(rng.integers(len(style.beats)))] if style.beats else None
    if beat is None and text.has(DRUMS):
        beat = "soft"
    if text.alone() or any(word in text.refused for word in DRUMS):
        beat = None
    return Groove(
        beat=beat,
        kit=style.kit,
        swing=style.swing,
        swing_unit=style.swing_unit,
        level=style.drum_level + 8 * min(0.0, sum(mood.energy for mood in moods.values())),
        kick_boost=2.5 if text.has(HEAVY_BASS) else 0.0,
        pump=style.pump,
    )


def _character(style: Style, moods: dict[str, Mood]) -> Character:
    """The style with all its moods added up, each quality kept within what still sounds well."""
    felt = moods.values()
    return Character(
        density=_within(0.0, style.density + sum(mood.density for mood in felt), 1.0),
        energy=_within(0.2, style.energy + sum(mood.energy for mood in felt), 1.0),
        brightness=style.brightness + _within(-1.2, sum(mood.brightness for mood in felt), 0.8),
        register=int(_within(-7, sum(mood.register for mood in felt), 7)),
        space=_within(0.5, style.space * math.prod(mood.space for mood in felt), 3.0),
    )


def _within(low: float, value: float, high: float) -> float:
    return min(max(value, low), high)


def _band(style: Style, text: Text) -> tuple[Part, ...]:
    """The style's parts, with the instruments that the words ask for and without those they refuse."""
    soloist = text.alone()
    parts = _solo(soloist.voice) if soloist else list(style.parts)
    for wish in [] if soloist else text.instruments():
        place = next((index for index, part in enumerate(parts) if part.role == wish.role), None)
        if place is None:
            parts.append(replace(_BASIC[wish.role], voice=wish.voice))
        else:
            # What was asked for by name is heard, and from the start.
            asked = parts[place]
            entry = min(asked.entry, 0.4)
            parts[place] = replace(asked, voice=wish.voice, level=max(asked.level, -6.0), entry=entry)
    if text.has(HEAVY_BASS):
        if not any(part.role == "bass" for part in parts):
            parts.append(_BASIC["bass"])
        parts = [replace(p, level=p.level + _HEAVY_DB) if p.role == "bass" else p for p in parts]
    refused = _refused(text)
    kept = tuple(part for part in parts if part.role not in refused and part.voice not in refused)
    return kept or style.parts


def _solo(voice: str) -> list[Part]:
    """One player's low, middle and high strings or keys."""
    low = replace(_BASIC["bass"], voice=voice, level=-3.0, centre=43, entry=0.0, send=0.2)
    middle = replace(_BASIC["arpeggio"], voice=voice, centre=58, pan=0.0, entry=0.0, echo=0.0)
    high = replace(_BASIC["lead"], voice=voice, pan=0.0, entry=0.4, echo=0.0)
    return [low, middle, high]


def _refused(text: Text) -> frozenset[str]:
    voices = {one.voice for one in INSTRUMENTS for word in one.words if word in text.refused}
    return frozenset(voices | {NAMES_OF_ROLES[word] for word in text.refused if word in NAMES_OF_ROLES})
