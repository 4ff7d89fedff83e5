"""The form: how a song of this length is laid out in sections and bars. Makes no notes and no sound."""

from dataclasses import dataclass
from itertools import cycle, islice

from lambdas.backends.composer import harmony
from lambdas.backends.composer.harmony import Chord
from lambdas.backends.composer.score import Score

_ENERGY = {"intro": 0.42, "verse": 0.64, "chorus": 0.95, "bridge": 0.46, "outro": 0.55}
_PROGRESSION = {"intro": 0, "verse": 0, "chorus": 1, "bridge": 2, "outro": 0}
_BODY = ("verse", "chorus", "verse", "chorus", "bridge", "chorus")


@dataclass(frozen=True)
class Section:
    name: str
    bars: int
    repeat: int  # how many sections of this name came before


@dataclass(frozen=True)
class Bar:
    """One bar in its place. `start` and `steps` count sixteenths from the beginning of the song."""

    start: int
    steps: float
    section: Section
    within: int  # bars since the section began
    energy: float
    next_energy: float
    chords: tuple[Chord, ...]
    next_chord: Chord
    final: bool = False

    @property
    def last_of_section(self) -> bool:
        return self.within == self.section.bars - 1

    def chord_at(self, step: float) -> Chord:
        return self.chords[min(int(step * len(self.chords) / 16), len(self.chords) - 1)]


def arrange(score: Score, seconds: float) -> list[Bar]:
    """The bars of the song. The last one is the final chord, which rings until `seconds` are over."""
    step = 15.0 / score.tempo
    ring = min(1.6, 0.4 * seconds)
    beats = int((seconds - ring) / (4 * step))
    if beats >= 8:
        beats -= beats % 2
    sections = form(-(-beats // 4))
    bars = _lay_out(score, sections, beats * 4)
    last = Section("end", 1, 0)
    tonic = harmony.bars(score.final, score.key.tonic)[0]
    ringing = seconds / step - beats * 4
    energy = bars[-1].energy if bars else 0.9
    return [*bars, Bar(beats * 4, ringing, last, 0, energy, 0.0, tonic, tonic[0], final=True)]


def form(bars: int) -> list[Section]:
    """Sections whose lengths sum to `bars`: a short piece is its chorus alone, a long one a whole song."""
    if bars < 8:
        return [Section("chorus", bars, 0)] if bars else []
    intro = 2 if bars < 16 else 4 if bars < 64 else 8
    outro = 0 if bars < 20 else 2 if bars < 32 else 4 if bars < 64 else 8
    unit = 4 if bars < 32 else 8
    body = bars - intro - outro
    names = _body(max(1, round(body / unit)))
    lengths = [unit] * (len(names) - 1)
    lengths.append(body - sum(lengths))
    plan = [("intro", intro), *zip(names, lengths, strict=True), ("outro", outro)]
    seen: dict[str, int] = {}
    sections = []
    for name, length in plan:
        if length > 0:
            sections.append(Section(name, length, seen.get(name, 0)))
            seen[name] = seen.get(name, 0) + 1
    return sections


def _body(count: int) -> list[str]:
    if count < 5:
        return list(_BODY[:count]) if count % 2 == 0 else [*_BODY[: count - 1], "chorus"]
    names = list(islice(cycle(_BODY), count - 2))
    if names[-1] == "bridge":
        names[-1] = "verse"
    return [*names, "bridge", "chorus"]


def _energy(score: Score, section: Section, within: int, short: bool) -> float:
    base = 0.92 if short else _ENERGY[section.name]
    if section.name in ("verse", "chorus"):
        base += 0.05 * min(section.repeat, 3)
    if section.name in ("intro", "bridge") and within >= section.bars / 2:
        base += 0.1  # the second half builds towards what follows
    if section.name == "outro" and within >= section.bars / 2:
        base -= 0.15
    return min(1.0, max(0.15, base + 0.2 * (score.character.energy - 0.7)))


def _lay_out(score: Score, sections: list[Section], total: int) -> list[Bar]:
    short = len(sections) == 1
    places = [(section, within) for section in sections for within in range(section.bars)]
    energies = [_energy(score, section, within, short) for section, within in places]
    chords = [_chords(score, section, within) for section, within in places]
    tonic = harmony.bars(score.final, score.key.tonic)[0]
    if chords:
        chords[-1] = _cadence(score, chords[-1], total - 16 * (len(chords) - 1))
    bars = []
    for index, (section, within) in enumerate(places):
        steps = min(16, total - 16 * index)
        following = chords[index + 1][0] if index + 1 < len(chords) else tonic[0]
        next_energy = energies[index + 1] if index + 1 < len(energies) else 0.0
        bars.append(
            Bar(16 * index, steps, section, within, energies[index], next_energy, chords[index], following)
        )
    return bars


def _chords(score: Score, section: Section, within: int) -> tuple[Chord, ...]:
    progression = harmony.bars(score.progressions[_PROGRESSION[section.name]], score.key.tonic)
    return progression[within % len(progression)]


def _cadence(score: Score, chords: tuple[Chord, ...], steps: int) -> tuple[Chord, ...]:
    """The bar before the final chord leads home: its second half, or all of it when it is cut short."""
    dominant = harmony.bars(score.cadence, score.key.tonic)[0]
    return dominant if steps < 16 else (chords[0], dominant[-1])
