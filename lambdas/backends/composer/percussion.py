"""The drums themselves: swept tones, shaped noise, metal. Knows no rhythm and no mix."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from lambdas.backends.composer.wav import SAMPLE_RATE

Samples = npt.NDArray[np.float32]

_LONGEST = 1.8
_ATTACK = 0.0012


@dataclass(frozen=True)
class Drum:
    """One piece of a kit: a tone falling from one pitch (Hz) to another, plus noise in a band, plus metal."""

    level: float = 0.5  # of the whole stroke at velocity 1
    pan: float = 0.0
    tone: tuple[float, float] = (0.0, 0.0)  # where the sweep starts and ends, Hz
    sweep: float = 0.02  # time constant of the fall
    ring: float = 0.2  # time constant of the tone's decay
    tone_level: float = 0.0
    band: tuple[float, float] = (300.0, 9000.0)
    decay: float = 0.1  # time constant of the noise's decay
    noise_level: float = 0.0
    metal_level: float = 0.0
    attack: float = _ATTACK
    bursts: int = 1  # a clap is several hands
    reverb: float = 0.12


_KICK = Drum(0.95, tone=(150, 48), sweep=0.025, ring=0.16, tone_level=1.0, noise_level=0.12,
             band=(1500, 5000), decay=0.006, reverb=0.02)  # fmt: skip
_SNARE = Drum(0.55, tone=(230, 180), sweep=0.02, ring=0.07, tone_level=0.5, noise_level=0.8,
              band=(900, 8500), decay=0.075, reverb=0.25)  # fmt: skip
_HAT = Drum(0.17, 0.3, noise_level=0.8, band=(6500, 14000), decay=0.022, metal_level=0.15, reverb=0.04)
_TOM = Drum(0.5, tone=(170, 110), sweep=0.04, ring=0.17, tone_level=0.9, noise_level=0.12,
            band=(400, 3000), decay=0.04, reverb=0.25)  # fmt: skip
_CRASH = Drum(0.2, -0.25, noise_level=0.9, band=(3500, 14000), decay=0.5, metal_level=0.2, attack=0.003,
              reverb=0.3)  # fmt: skip
_SHAKER = Drum(0.13, -0.35, noise_level=1.0, band=(5000, 12000), decay=0.03, attack=0.014, reverb=0.08)
_CONGA = Drum(0.3, 0.3, tone=(250, 205), sweep=0.015, ring=0.11, tone_level=0.9, noise_level=0.12,
              band=(800, 4000), decay=0.015, reverb=0.18)  # fmt: skip
_CLAP = Drum(0.42, noise_level=1.0, band=(900, 6000), decay=0.07, bursts=4, reverb=0.3)
_RIDE = Drum(0.15, 0.35, noise_level=0.35, band=(5000, 13000), decay=0.3, metal_level=0.5, reverb=0.12)

_STANDARD: dict[str, Drum] = {
    "kick": _KICK,
    "snare": _SNARE,
    "hat": _HAT,
    "open": replace(_HAT, level=0.15, decay=0.16),
    "ride": _RIDE,
    "crash": _CRASH,
    "tom": _TOM,
    "high tom": replace(_TOM, pan=-0.3, tone=(240, 160)),
    "low tom": replace(_TOM, pan=0.35, tone=(120, 78), ring=0.22),
    "clap": _CLAP,
    "rim": Drum(
        0.28,
        -0.15,
        tone=(1700, 1650),
        ring=0.016,
        tone_level=0.6,
        noise_level=0.5,
        band=(1500, 7000),
        decay=0.012,
        reverb=0.2,
    ),
    "shaker": _SHAKER,
    "conga": _CONGA,
    "low conga": replace(_CONGA, pan=0.45, tone=(185, 150)),
    "clave": Drum(0.2, -0.4, tone=(2450, 2440), ring=0.025, tone_level=1.0, reverb=0.25),
    "tambourine": replace(_SHAKER, level=0.12, pan=0.4, decay=0.06, attack=0.003),
    "timpani": Drum(
        0.75,
        tone=(95, 73),
        sweep=0.05,
        ring=0.5,
        tone_level=0.9,
        noise_level=0.15,
        band=(200, 1500),
        decay=0.06,
        reverb=0.45,
    ),
    "taiko": Drum(
        0.85,
        tone=(120, 58),
        sweep=0.035,
        ring=0.3,
        tone_level=1.0,
        noise_level=0.25,
        band=(200, 2500),
        decay=0.05,
        reverb=0.45,
    ),
}

KITS: dict[str, dict[str, Drum]] = {
    "acoustic": _STANDARD,
    "electronic": _STANDARD
    | {
        "kick": replace(_KICK, tone=(210, 50), ring=0.2, noise_level=0.2),
        "snare": replace(_SNARE, decay=0.1, noise_level=0.9),
        "hat": replace(_HAT, decay=0.018),
        "open": replace(_HAT, level=0.16, decay=0.11),
    },
    "warehouse": _STANDARD
    | {
        "kick": replace(_KICK, level=1.0, tone=(180, 46), ring=0.22, noise_level=0.3, reverb=0.1),
        "open": replace(_HAT, level=0.17, decay=0.09),
        "clap": replace(_CLAP, level=0.34, band=(1200, 7000)),
    },
    "boom bap": _STANDARD
    | {
        "kick": replace(_KICK, tone=(120, 52), ring=0.13, noise_level=0.1, band=(800, 3000)),
        "snare": replace(_SNARE, level=0.5, tone=(200, 165), band=(600, 5500), decay=0.06),
        "hat": replace(_HAT, level=0.13, band=(5000, 10000), decay=0.02),
        "open": replace(_HAT, level=0.1, band=(5000, 10000), decay=0.1),
    },
    "brushes": _STANDARD
    | {
        "kick": replace(_KICK, level=0.4, tone=(90, 55), noise_level=0.05, ring=0.12),
        "snare": replace(_SNARE, level=0.18, tone_level=0.15, attack=0.012, band=(1200, 7000), decay=0.09),
        "hat": replace(_HAT, level=0.13, decay=0.03),
        "ride": replace(_RIDE, level=0.2, decay=0.25),
    },
    "metal": _STANDARD
    | {
        "kick": replace(_KICK, level=0.85, tone=(170, 55), ring=0.08, noise_level=0.5, band=(2500, 7000)),
        "snare": replace(_SNARE, level=0.65, decay=0.1, tone_level=0.6),
        "crash": replace(_CRASH, level=0.24),
    },
    "gated": _STANDARD
    | {
        "kick": replace(_KICK, tone=(150, 52), ring=0.17, noise_level=0.2),
        "snare": replace(_SNARE, level=0.6, tone=(210, 170), decay=0.16, reverb=0.5),
        "tom": replace(_TOM, level=0.55, reverb=0.5),
    },
}


@lru_cache(maxsize=256)
def strike(kit: str, name: str) -> Samples:
    """One stroke at velocity 1, float32 [frames]. Read only: it is shared."""
    drum = KITS[kit][name]
    longest = max(drum.ring if drum.tone_level else 0, drum.decay * (1 + drum.metal_level))
    time = np.arange(round(min(7 * longest + 0.03, _LONGEST) * SAMPLE_RATE)) / SAMPLE_RATE
    seed = sum(ord(letter) for letter in name)
    sound = drum.tone_level * _tone(drum, time)
    if drum.noise_level:
        sound += drum.noise_level * _noise(drum, time, seed)
    if drum.metal_level:
        sound += drum.metal_level * _metal(drum, time)
    sound *= 0.5 - 0.5 * np.cos(np.pi * np.minimum(time / drum.attack, 1))
    fade = min(len(time), SAMPLE_RATE // 50)
    sound[-fade:] *= np.linspace(1, 0, fade)
    sound *= drum.level / np.max(np.abs(sound))
    sound.flags.writeable = False
    return np.asarray(sound, np.float32)


def _tone(drum: Drum, time: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    start, end = drum.tone
    cycles = end * time + (start - end) * drum.sweep * (1 - np.exp(-time / drum.sweep))
    return np.sin(2 * np.pi * cycles) * np.exp(-time / drum.ring)


def _noise(drum: Drum, time: npt.NDArray[np.float64], seed: int) -> npt.NDArray[np.float64]:
    white = np.random.default_rng(seed).standard_normal(len(time))
    hertz = np.fft.rfftfreq(len(time), 1 / SAMPLE_RATE)
    low, high = drum.band
    keep = 1 / (1 + (low / np.maximum(hertz, 1)) ** 6) / (1 + (hertz / high) ** 6)
    coloured = np.fft.irfft(np.fft.rfft(white) * keep, len(time))
    coloured *= 0.33 / np.std(coloured)
    envelope = np.exp(-time / drum.decay)
    for burst in range(1, drum.bursts):
        since = time - 0.011 * burst
        again = np.where(since < 0, 0.0, np.exp(-np.abs(since) / drum.decay))
        envelope = np.maximum(envelope, again)
    return coloured * envelope


def _metal(drum: Drum, time: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    # Many partials with no common ratio: fewer would whistle a pitch.
    partials = 4100.0 * 1.0973 ** np.arange(12) + 37.0 * np.sin(np.arange(12) ** 2)
    ring = np.zeros_like(time)
    for hertz in partials:
        ring += np.sin(2 * np.pi * hertz * time + hertz) / len(partials)
    return np.asarray(ring * np.exp(-time / (drum.decay * 1.3)))
