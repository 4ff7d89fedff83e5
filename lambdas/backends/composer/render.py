"""The performance: every part's notes, placed in time and in the stereo field, become samples."""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from lambdas.backends.composer import accompaniment, melody, mixing
from lambdas.backends.composer.arrangement import Bar, arrange
from lambdas.backends.composer.drums import drum
from lambdas.backends.composer.instruments import play
from lambdas.backends.composer.percussion import KITS, strike
from lambdas.backends.composer.score import Hit, Note, Part, Score
from lambdas.backends.composer.wav import SAMPLE_RATE

Samples = npt.NDArray[np.float32]

SHORTEST, LONGEST = 1.0, 300.0
_COMPOSERS: dict[str, Callable[[Score, Part, list[Bar]], Iterator[Note]]] = {
    "bass": accompaniment.bass,
    "riff": accompaniment.bass,
    "chords": accompaniment.chords,
    "arpeggio": accompaniment.chords,
    "pad": accompaniment.pad,
    "lead": melody.lead,
}
_LEGATO = 0.92  # how much of its written length a note sounds
_MIXING_SHARE = 0.2  # of the whole work, for the progress reports


def perform(score: Score, seconds: float, progress: Callable[[float], None] | None = None) -> Samples:
    """Play the score for exactly `seconds` (1 to 300), as float32 [2, round(seconds * SAMPLE_RATE)].

    The peak is -3 dBFS. The same score and length give the same samples, bit for bit. `progress` hears shares
    from 0 to 1, rising. Raises ValueError for any other length.
    """
    if not SHORTEST <= seconds <= LONGEST:
        raise ValueError(f"seconds must be from {SHORTEST:g} to {LONGEST:g}, not {seconds}")
    report = progress or (lambda share: None)
    stage = _Stage(score, seconds)
    song = arrange(score, seconds)
    stage.drums(drum(score, song))
    for index, part in enumerate(score.parts):
        report((1 - _MIXING_SHARE) * index / len(score.parts))
        stage.part(part, index, _COMPOSERS[part.role](score, part, song))
    report(1 - _MIXING_SHARE)
    mixed = mixing.master(stage.bus, score.character.space)
    report(1.0)
    return mixed


class _Stage:
    """The mixing bus, float32 [left, right, reverb send][frames], and the clock that places notes on it."""

    def __init__(self, score: Score, seconds: float) -> None:
        self._score = score
        self._step = 15.0 / score.tempo
        self.bus = np.zeros((3, round(seconds * SAMPLE_RATE)), np.float32)
        self._duck: Samples | None = None

    def drums(self, hits: Iterable[Hit]) -> None:
        """The kit, and from its kicks the ducking that every later part will feel."""
        kit = KITS[self._score.groove.kit]
        ducking = np.ones(self.bus.shape[1], np.float32)
        level = _gain(self._score.groove.level)
        for hit in hits:
            piece = kit[hit.drum]
            boost = _gain(self._score.groove.kick_boost) if hit.drum in ("kick", "taiko") else 1.0
            sound = strike(self._score.groove.kit, hit.drum) * np.float32(hit.velocity * level * boost)
            start = self._frame(hit.step)
            left, right = _pan(piece.pan)
            for row, gain in enumerate((left, right, piece.reverb)):
                self._add(row, start, sound * np.float32(gain))
            if hit.drum == "kick" and self._score.groove.pump:
                dip = mixing.duck(self._score.groove.pump, 4 * self._step)
                end = min(start + len(dip), len(ducking))
                ducking[start:end] = np.minimum(ducking[start:end], dip[: end - start])
        self._duck = ducking if self._score.groove.pump else None

    def part(self, part: Part, index: int, notes: Iterable[Note]) -> None:
        render = lru_cache(maxsize=96)(lambda pitch, length: self._panned(part, pitch, length))
        echo = round(3 * self._step * SAMPLE_RATE)
        rng = self._score.stream("hands", part.role, index)
        for position, note in enumerate(sorted(notes, key=lambda note: (note.step, note.pitch))):
            strum = part.strum * (position % 4)
            start = self._frame(note.step) + round((strum + self._looseness(rng)) * SAMPLE_RATE)
            # Lengths in fiftieths of a second are few, so that notes repeat and the cache serves them.
            sound = render(note.pitch, round(self._seconds(note) * 50) / 50) * np.float32(note.velocity)
            self._add(slice(None), start, sound)
            for bounce in (1, 2) if part.echo else ():
                # Every other echo comes from the other side.
                order = (1, 0, 2) if bounce == 1 else (0, 1, 2)
                self._add(slice(None), start + bounce * echo, sound[order, :] * np.float32(part.echo**bounce))

    def _panned(self, part: Part, pitch: int, length: float) -> Samples:
        note = play(part.voice, pitch, length, self._score.character.brightness)
        left, right = _pan(part.pan)
        send = part.send * 0.5 * (note[0] + note[1])
        stems = np.stack([left * note[0], right * note[1], send])
        return np.asarray(stems * _gain(part.level), np.float32)

    def _add(self, rows: int | slice, start: int, sound: Samples) -> None:
        start = max(start, 0)
        end = min(start + sound.shape[-1], self.bus.shape[1])
        if end <= start:
            return
        piece = sound[..., : end - start]
        if self._duck is not None:
            piece = piece * self._duck[start:end]
        self.bus[rows, start:end] += piece

    def _seconds(self, note: Note) -> float:
        end = self._swung(note.step + note.length)
        return max(0.06, _LEGATO * (end - self._swung(note.step)) * self._step)

    def _frame(self, step: float) -> int:
        return round(self._swung(step) * self._step * SAMPLE_RATE)

    def _swung(self, step: float) -> float:
        """Swing bends time within each pair: its first half takes more than half of it."""
        unit = self._score.groove.swing_unit
        pair, place = divmod(step, unit)
        share, half = self._score.groove.swing, unit / 2
        bent = place * 2 * share if place < half else unit * share + (place - half) * 2 * (1 - share)
        return float(pair * unit + bent)

    def _looseness(self, rng: np.random.Generator) -> float:
        """Players are a few milliseconds off the grid; machines that pump are not."""
        return 0.0 if self._score.groove.pump else float(np.clip(rng.normal(0.003, 0.003), 0, 0.01))


def _gain(decibels: float) -> float:
    return float(10 ** (decibels / 20))


def _pan(pan: float) -> tuple[float, float]:
    """Balance: the near side stays, the far side loses up to two thirds, so that mono keeps every part."""
    return 1 - 0.66 * max(pan, 0.0), 1 - 0.66 * max(-pan, 0.0)
