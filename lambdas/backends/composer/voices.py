"""What each instrument is made of: its spectrum and its envelope, as data. Makes no sound itself."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Voice:
    """An instrument. Times in seconds, cutoff in Hz, detune and vibrato depth in cents.

    `decays` are the time constants of the bands below 700 Hz, up to 2.6 kHz, and above (none: sustained);
    `sustain` is the level they decay to. `base` is the harmonic that the note's own pitch is (a power chord's
    cycle is an octave longer than its root's).
    """

    spectrum: str
    attack: float = 0.006
    release: float = 0.08
    decays: tuple[float, ...] = ()
    sustain: float = 0.0
    cutoff: float = 5000.0
    slope: float = 1.5
    detune: float = 0.0
    vibrato: float = 0.0
    vibrato_rate: float = 5.2
    noise: float = 0.0
    base: int = 1
    spread: float = 1.0


def _formants(hertz: Array, *peaks: tuple[float, float]) -> Array:
    level = np.full_like(hertz, 0.15)
    for centre, width in peaks:
        level += np.exp(-(((hertz - centre) / width) ** 2))
    return level


def _only(levels: dict[int, float]) -> Callable[[Array, Array], Array]:
    return lambda k, hertz: np.array([levels.get(int(n), 0.0) for n in k])


_SPECTRA: dict[str, Callable[[Array, Array], Array]] = {
    "sine": _only({1: 1.0, 2: 0.03}),
    "sub": _only({1: 1.0, 2: 0.3, 3: 0.16, 4: 0.08, 5: 0.04}),
    "saw": lambda k, hertz: 1 / k,
    "square": lambda k, hertz: (k % 2) / k,
    "triangle": lambda k, hertz: (k % 2) / k**2,
    "pulse": lambda k, hertz: np.abs(np.sin(0.23 * np.pi * k)) / k,
    "pluck": lambda k, hertz: np.abs(np.sin(0.19 * np.pi * k)) / k**1.2 + 0.01 / k,
    "hammer": lambda k, hertz: (0.15 + np.abs(np.sin(np.pi * k / 7.5))) / k**1.45,
    "drawbar": _only({1: 0.8, 2: 1.0, 3: 0.7, 4: 0.5, 6: 0.22, 8: 0.25}),
    "tine": _only({1: 1.0, 2: 0.28, 3: 0.12, 4: 0.08, 7: 0.1, 9: 0.05}),
    "bars": _only({1: 1.0, 4: 0.35, 10: 0.12}),
    "bell": _only({1: 1.0, 2: 0.4, 3: 0.35, 5: 0.25, 7: 0.12, 11: 0.1}),
    "air": _only({1: 1.0, 2: 0.32, 3: 0.12, 4: 0.05, 5: 0.02}),
    "bowed": lambda k, hertz: _formants(hertz, (550, 300), (1100, 500), (2700, 900)) / k,
    "reed": lambda k, hertz: _formants(hertz, (650, 350), (1500, 600)) / k**0.7,
    "horn": lambda k, hertz: _formants(hertz, (500, 700), (1400, 900)) / k**0.75,
    "ah": lambda k, hertz: _formants(hertz, (700, 200), (1150, 250), (2700, 400)) / k,
}


def _overdriven(k: Array, hertz: Array, drive: float, partials: tuple[int, ...]) -> Array:
    """The spectrum of string tones at these multiples of the cycle, pressed together through a tanh.

    Distorting the periodic sum once, as a table, gives the chord's own intermodulation and no aliasing.
    """
    phase = 2 * np.pi * np.arange(4096) / 4096
    tone = np.zeros(4096)
    for root in partials:
        for n in range(1, 9):
            tone += np.sin(n * root * phase + 1.7 * n * root) / (n * root)
    spectrum = np.abs(np.fft.rfft(np.tanh(drive * tone + 0.2)))
    return np.asarray(spectrum[k.astype(int)])


_SPECTRA["power"] = lambda k, hertz: _overdriven(k, hertz, 9.0, (2, 3, 4))
_SPECTRA["crunch"] = lambda k, hertz: _overdriven(k, hertz, 3.0, (1,))


def spectrum(voice: Voice, harmonic: npt.NDArray[np.int64], hertz: Array) -> Array:
    """The amplitude of each harmonic of a note whose harmonics lie at these frequencies."""
    return np.array(_SPECTRA[voice.spectrum](harmonic.astype(np.float64), hertz))


VOICES: dict[str, Voice] = {
    # Keys
    "piano": Voice("hammer", 0.004, 0.18, (1.1, 0.5, 0.22), cutoff=3600, noise=0.25, detune=1.5),
    "electric piano": Voice("tine", 0.005, 0.16, (1.3, 0.5, 0.2), 0.05, cutoff=3000, noise=0.1, detune=2),
    "organ": Voice("drawbar", 0.012, 0.07, cutoff=4500, vibrato=6, vibrato_rate=6.4, detune=2),
    "vibraphone": Voice("bars", 0.004, 0.3, (0.9, 0.35, 0.15), vibrato=4, cutoff=5000, noise=0.1, detune=1),
    "bells": Voice("bell", 0.003, 0.5, (1.0, 0.6, 0.3), cutoff=7000, detune=2),
    # Plucked strings
    "acoustic guitar": Voice("pluck", 0.003, 0.12, (0.8, 0.32, 0.13), cutoff=4200, noise=0.5, detune=1.5),
    "nylon guitar": Voice("pluck", 0.004, 0.12, (0.7, 0.22, 0.08), cutoff=2200, noise=0.35, detune=1),
    "clean guitar": Voice("pluck", 0.004, 0.1, (0.9, 0.4, 0.18), 0.05, cutoff=3000, noise=0.25, detune=3),
    "muted guitar": Voice("pluck", 0.003, 0.03, (0.09, 0.06, 0.04), cutoff=3800, noise=0.7),
    "twang guitar": Voice("pluck", 0.003, 0.1, (0.7, 0.5, 0.3), cutoff=5200, noise=0.4, detune=2),
    "harp": Voice("pluck", 0.004, 0.5, (0.9, 0.35, 0.12), cutoff=2600, noise=0.15, detune=1),
    "pizzicato": Voice("bowed", 0.004, 0.1, (0.22, 0.1, 0.05), cutoff=2600, noise=0.3, detune=3),
    "banjo": Voice("pluck", 0.002, 0.06, (0.25, 0.2, 0.12), cutoff=6000, noise=0.7),
    # Electric guitars through an amplifier
    "overdriven guitar": Voice("power", 0.006, 0.07, (2.5, 1.8, 1.2), 0.3, 2600, 2.5, 5, noise=0.4, base=2),
    "chugging guitar": Voice("power", 0.004, 0.04, (0.5, 0.3, 0.2), 0.1, 3000, 2.5, 5, noise=0.6, base=2),
    "lead guitar": Voice("crunch", 0.008, 0.1, cutoff=3200, slope=2.5, vibrato=16, noise=0.3, detune=3),
    # Basses
    "upright bass": Voice("pluck", 0.008, 0.07, (0.55, 0.15, 0.05), cutoff=700, noise=0.3, spread=0),
    "electric bass": Voice("pluck", 0.006, 0.05, (0.9, 0.3, 0.1), 0.15, cutoff=1000, noise=0.2, spread=0),
    "picked bass": Voice("saw", 0.004, 0.04, (0.9, 0.4, 0.15), 0.2, cutoff=1300, noise=0.3),
    "synth bass": Voice("saw", 0.005, 0.04, (0.6, 0.18, 0.08), 0.3, cutoff=900),
    "square bass": Voice("square", 0.005, 0.04, (0.5, 0.15, 0.06), 0.35, cutoff=1100),
    "acid bass": Voice("saw", 0.004, 0.03, (0.4, 0.1, 0.05), 0.15, cutoff=1800, slope=2),
    "sub bass": Voice("sub", 0.01, 0.12, (1.6, 0.4), 0.25, cutoff=400, spread=0),
    "reese bass": Voice("saw", 0.02, 0.08, cutoff=600, slope=2, detune=11),
    # Strings, winds, voices
    "strings": Voice("bowed", 0.12, 0.35, cutoff=4200, vibrato=7, detune=7),
    "slow strings": Voice("bowed", 0.5, 0.8, cutoff=3000, vibrato=6, detune=8),
    "spiccato": Voice("bowed", 0.012, 0.09, (0.3, 0.2, 0.12), 0.1, cutoff=4200, detune=6, noise=0.3),
    "violin": Voice("bowed", 0.06, 0.15, cutoff=5200, vibrato=18, vibrato_rate=5.6, detune=2),
    "flute": Voice("air", 0.05, 0.12, cutoff=4000, vibrato=10, noise=0.4, detune=1.5),
    "saxophone": Voice("reed", 0.03, 0.09, cutoff=3200, vibrato=14, noise=0.35, detune=1.5),
    "trumpet": Voice("horn", 0.03, 0.08, cutoff=4200, vibrato=9, noise=0.1, detune=1.5),
    "brass": Voice("horn", 0.035, 0.1, cutoff=3400, detune=5),
    "horns": Voice("horn", 0.09, 0.3, cutoff=1700, detune=5),
    "choir": Voice("ah", 0.25, 0.5, cutoff=3800, vibrato=10, detune=9),
    "harmonica": Voice("reed", 0.03, 0.08, cutoff=4200, vibrato=12, noise=0.3, detune=3),
    # Synthesizers
    "warm pad": Voice("saw", 0.5, 0.9, cutoff=900, slope=1.5, detune=9),
    "glass pad": Voice("bell", 0.7, 1.2, cutoff=2500, detune=7),
    "analog pad": Voice("pulse", 0.25, 0.6, cutoff=1800, detune=10),
    "stab": Voice("saw", 0.004, 0.08, (0.35, 0.18, 0.1), cutoff=3800, detune=9),
    "supersaw": Voice("saw", 0.012, 0.12, cutoff=6500, detune=13),
    "saw lead": Voice("saw", 0.01, 0.1, cutoff=4200, vibrato=9, detune=6),
    "square lead": Voice("square", 0.01, 0.09, cutoff=3600, vibrato=8, detune=4),
    "synth pluck": Voice("pulse", 0.003, 0.12, (0.3, 0.16, 0.08), cutoff=5200, detune=6),
    "soft lead": Voice("triangle", 0.03, 0.2, cutoff=2600, vibrato=8, detune=4),
}
