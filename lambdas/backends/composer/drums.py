"""What the drummer plays: beats as data, fills, and how both follow the form. Makes no sound."""

from collections.abc import Iterator

import numpy as np

from lambdas.backends.composer.arrangement import Bar
from lambdas.backends.composer.score import Hit, Score

# One or two bars of sixteenths per drum: X accent, x stroke, g ghost note, - nothing.
BEATS: dict[str, dict[str, str]] = {
    "four on the floor": {
        "kick": "X---X---X---X---", "clap": "----x-------x---",
        "hat": "x-gxx-gxx-gxx-gx", "open": "--X---X---X---X-"},
    "house": {
        "kick": "X---X---X---X---", "clap": "----X-------X---", "open": "--x---x---x---x-",
        "hat": "g-g-g-g-g-ggg-g-", "shaker": "g-xgg-xgg-xgg-xg", "rim": "---x-------x--x-"},
    "techno": {
        "kick": "X---X---X---X---", "open": "--x---x---x---x-", "hat": "xgxgxgxgxgxgxgxg",
        "clap": "----g-------g---", "low conga": "---g--x----g--x-", "rim": "-----------x----"},
    "break": {
        "kick": "X---------X-----X---------X--x--", "snare": "----X--g-g--X--g----X--g-g--X-gg",
        "hat": "x-x-x-x-x-x-x-x-", "ride": "--g---g---g---g-"},
    "synthwave": {
        "kick": "X---X---X---X---", "snare": "----X-------X---", "hat": "x-x-x-x-x-x-x-x-"},
    "boom bap": {
        "kick": "X------x--X-----X-----xX--X-----", "snare": "----X-------X--g----X--g----X---",
        "hat": "x-x-x-x-x-x-x-xg"},
    "trap": {
        "kick": "X-----x---X-----X--x------X--x--", "clap": "--------X-------",
        "hat": "x-x-x-x-x-xxx-x-x-x-x-x-xgxgxxxx", "rim": "---g------g-----"},
    "dusty": {
        "kick": "X-----x---x-----X------x--x-----", "snare": "----x-------x---", "hat": "x-g-x-g-x-g-x-gg"},
    "rock": {
        "kick": "X-------X-x-----X-----x-X-------", "snare": "----X-------X---", "hat": "X-x-X-x-X-x-X-x-"},
    "metal": {
        "kick": "XxxxXxxxXxxxXxxxX-xxX-xxX-xxX-xx", "snare": "----X-------X---", "ride": "X---X---X---X---"},
    "swing": {
        "ride": "X---x-x-X---x-x-", "hat": "----x-------x---",
        "kick": "g---g---g---g---", "snare": "------g-------------g-----g-----"},
    "shuffle": {
        "kick": "X-------X-x-----", "snare": "----X-------X---", "hat": "X-x-X-x-X-x-X-x-"},
    "funk": {
        "kick": "X--x------x--x--X-----x---x-----", "snare": "----X--g-g--X--g",
        "hat": "X-xxX-x-X-xxX-xx", "tambourine": "----g-------g---"},
    "one drop": {
        "kick": "--------X-------", "rim": "--------x-----g---------x--g----", "hat": "x-x-x-x-x-x-x-xg"},
    "bossa": {
        "kick": "x-----xxx-----xx", "rim": "x--x--x---x--x--", "shaker": "xgxgxgxgxgxgxgxg"},
    "salsa": {
        "kick": "------x-------x-", "clave": "x--x--x-----x-x---------", "conga": "----x-xx----x-xx",
        "low conga": "-------------x--", "shaker": "x-g-x-g-x-g-x-g-"},
    "train": {
        "kick": "X-------X-------", "snare": "g-gXg-gXg-gXg-gx",
        "tambourine": "--x---x---x---x-"},
    "stomp": {
        "kick": "X-------X-------", "tambourine": "--g-x-g---g-x-gg", "shaker": "x-g-x-g-x-g-x-g-"},
    "pop": {
        "kick": "X-----x-X-------X-----x-X--x----", "snare": "----X-------X---",
        "hat": "x-x-x-x-x-x-x-x-", "clap": "----g-------g---", "shaker": "--g---g---g---g-"},
    "epic": {
        "taiko": "X-----x-X---x---X-----x-X-x-x-x-", "timpani": "X---------------X-------------x-",
        "low tom": "--x-x-----x-x-x-"},
    "soft": {"kick": "x-------x-------", "rim": "----x-------x---", "shaker": "x-g-x-g-x-g-x-g-"},
}  # fmt: skip
_VELOCITY = {"X": 1.0, "x": 0.72, "g": 0.34}
_FILLS = ("x-x-xxxx", "xx-xx-xx", "x-xxx-xx", "--x-x-xx")
_ROLL = "x-x-x-x-xxxxXXXX"
_PULSE = frozenset({"kick", "snare", "clap", "taiko"})  # what stays out of quiet sections
_ELECTRONIC = frozenset({"four on the floor", "house", "techno", "synthwave", "trap"})
_NO_FILLS = frozenset({"swing", "bossa", "one drop", "dusty", "salsa", "soft", "train"})


def drum(score: Score, song: list[Bar]) -> Iterator[Hit]:
    """Every stroke of the song, in order of bars; the last bar is the final chord's."""
    if score.groove.beat is None:
        return
    rng = score.stream("drums")
    for bar in song:
        if bar.final:
            yield from _ending(score, bar)
        elif bar.energy >= 0.3:
            yield from _bar(score, bar, rng)


def _bar(score: Score, bar: Bar, rng: np.random.Generator) -> Iterator[Hit]:
    fill = _fill(score, bar, rng)
    silent_from = int(bar.steps) - (len(fill) if fill else 0)
    for name, pattern in BEATS[score.groove.beat or "pop"].items():
        if bar.energy < 0.52 and name in _PULSE and score.groove.beat not in _NO_FILLS:
            continue
        for step in range(int(bar.steps)):
            mark = pattern[(bar.within * 16 + step) % len(pattern)]
            if mark == "-" or (step >= silent_from and name not in ("kick", "hat", "shaker")):
                continue
            accent = _VELOCITY[mark] * (0.8 + 0.2 * bar.energy) * rng.uniform(0.9, 1.0)
            yield Hit(bar.start + step, name, accent)
    if bar.within == 0 and bar.energy > 0.8 and score.groove.beat not in _NO_FILLS:
        yield Hit(bar.start, "crash", 0.8)
    if fill:
        yield from _play_fill(score, bar, fill)


def _fill(score: Score, bar: Bar, rng: np.random.Generator) -> str | None:
    choice = _FILLS[int(rng.integers(len(_FILLS)))]
    if not bar.last_of_section or bar.energy < 0.5 or score.groove.beat in _NO_FILLS or bar.steps < 16:
        return None
    if score.groove.beat in _ELECTRONIC:
        return _ROLL if bar.next_energy > bar.energy else choice[-4:]
    return choice


def _play_fill(score: Score, bar: Bar, fill: str) -> Iterator[Hit]:
    start = bar.start + int(bar.steps) - len(fill)
    tuned = ("snare", "high tom", "tom", "low tom")
    for index, mark in enumerate(fill):
        if mark == "-":
            continue
        place = index / len(fill)
        name = "snare" if score.groove.beat in _ELECTRONIC else tuned[int(place * len(tuned))]
        yield Hit(start + index, name, (0.35 + 0.4 * place) * _VELOCITY[mark])


def _ending(score: Score, bar: Bar) -> Iterator[Hit]:
    beat = BEATS[score.groove.beat or "pop"]
    yield Hit(bar.start, "taiko" if "taiko" in beat else "kick", 0.9)
    if score.groove.beat not in _NO_FILLS:
        yield Hit(bar.start, "crash", 0.75)
