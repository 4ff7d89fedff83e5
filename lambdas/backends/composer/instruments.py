"""The pitched instruments: band-limited wavetables under decaying envelopes. Knows no rhythm and no mix.

A note is a sum of a few single-cycle tables, one per frequency band, each with a decay of its own, so that
brightness dies before the body does, as on a string. Tables hold only harmonics below `_CEILING`, so nothing
aliases (band-limited wavetable synthesis; see Bristow-Johnson, "Wavetable Synthesis 101", AES 1996).
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from lambdas.backends.composer.voices import VOICES, Voice, spectrum
from lambdas.backends.composer.wav import SAMPLE_RATE

Samples = npt.NDArray[np.float32]

_CEILING = 15_000.0
_TABLE = 4096
_BAND_EDGES = (700.0, 2600.0)
_RMS = 0.1  # of a note at velocity 1 and level 0 dB, where it begins
_CROSSFEED = 0.55  # how much of each detuned side the other hears: wide, yet safe in mono


def play(voice_name: str, pitch: int, seconds: float, brightness: float = 0.0) -> Samples:
    """One note as float32 [2, frames], held for `seconds` and then released."""
    voice = VOICES[voice_name]
    frequency = 440.0 * 2 ** ((pitch - 69) / 12)
    held = max(seconds, voice.attack + 0.01)
    time = np.arange(round((held + voice.release) * SAMPLE_RATE), dtype=np.float32) / np.float32(SAMPLE_RATE)
    tables = _tables(voice_name, pitch, round(brightness, 2))
    envelopes = _decays(voice, time)
    sides = [_oscillate(tables, envelopes, frequency, voice, time, side) for side in _sides(voice)]
    left, right = sides[0], sides[-1]
    if voice.detune:
        left, right = left + _CROSSFEED * right, right + _CROSSFEED * left
    note = np.stack([left, right])
    if voice.noise:
        note += _touch(voice, pitch, len(time))
    note *= _shape(voice, held, len(time))
    return note


def _sides(voice: Voice) -> tuple[int, ...]:
    return (-1, 1) if voice.detune else (0,)


def _oscillate(
    tables: Samples, envelopes: list[Samples], frequency: float, voice: Voice, time: Samples, side: int
) -> Samples:
    tuned = frequency / voice.base * 2 ** (side * voice.detune / 1200)
    phase = time.astype(np.float64) * (tuned * _TABLE) + (0.31 * _TABLE if side > 0 else 0.0)
    if voice.vibrato:
        # Vibrato sets in after the attack, as a player's hand does.
        depth = voice.vibrato / 1200 * np.log(2) * tuned * _TABLE / (2 * np.pi * voice.vibrato_rate)
        onset = np.minimum(time / 0.5, 1.0) ** 2
        phase -= depth * onset * np.cos(2 * np.pi * voice.vibrato_rate * time)
        phase += depth
    whole = np.floor(phase)
    fraction = (phase - whole).astype(np.float32)
    index = whole.astype(np.int64) & (_TABLE - 1)
    wave = np.zeros(len(time), np.float32)
    for table, envelope in zip(tables, envelopes, strict=True):
        below = table.take(index)
        wave += (below + fraction * (table.take(index + 1) - below)) * envelope
    return wave


def _decays(voice: Voice, time: Samples) -> list[Samples]:
    if not voice.decays:
        return [np.ones_like(time)]
    return [voice.sustain + (1 - voice.sustain) * np.exp(-time / np.float32(tau)) for tau in voice.decays]


def _shape(voice: Voice, held: float, frames: int) -> Samples:
    """Raised-cosine attack and release: no step, and no corner that could be heard as a click."""
    envelope = np.ones(frames, np.float32)
    rise = min(round(min(voice.attack, held * 0.5) * SAMPLE_RATE), frames)
    envelope[:rise] = 0.5 - 0.5 * np.cos(np.pi * np.arange(rise) / rise)
    start = min(round(held * SAMPLE_RATE), frames - 1)
    fall = np.arange(1, frames - start + 1) / (frames - start)
    envelope[start:] *= 0.5 + 0.5 * np.cos(np.pi * fall)
    return envelope


def _touch(voice: Voice, pitch: int, frames: int) -> Samples:
    """The pick, hammer or breath at the start of a note: a short soft noise."""
    length = min(frames, round(0.05 * SAMPLE_RATE))
    noise = np.random.default_rng(pitch).standard_normal(length + 8)
    noise = np.convolve(noise, np.hanning(10)[1:-1] / 4.5, "same")[:length]
    touch = np.zeros(frames, np.float32)
    fade = np.exp(-np.arange(length) / (0.009 * SAMPLE_RATE)) * np.minimum(np.arange(length) / 90, 1)
    fade *= np.linspace(1, 0, length)
    touch[:length] = voice.noise * _RMS * noise * fade
    return touch


@lru_cache(maxsize=512)
def _tables(voice_name: str, pitch: int, brightness: float) -> Samples:
    """The voice's single cycles at this pitch, float32 [bands, _TABLE + 1]; each ends where it began."""
    voice = VOICES[voice_name]
    cycle = 440.0 * 2 ** ((pitch - 69) / 12) / voice.base
    harmonic = np.arange(1, max(2, min(int(_CEILING / cycle), _TABLE // 8)) + 1)
    hertz = np.asarray(harmonic * cycle, np.float64)
    amplitudes = spectrum(voice, harmonic, hertz)
    cutoff = voice.cutoff * 2**brightness
    # A cutoff below the note itself would leave a note without sound: it follows the pitch from there.
    amplitudes *= 1 / np.sqrt(1 + (hertz / max(cutoff, 1.5 * cycle * voice.base)) ** (2 * voice.slope))
    amplitudes *= np.clip((_CEILING - hertz) / 3000.0, 0, 1)
    amplitudes *= _RMS / np.sqrt(np.sum(amplitudes**2) / 2)
    edges = _BAND_EDGES[: max(len(voice.decays) - 1, 0)]
    masks = np.digitize(hertz, edges)
    phases = -0.5j * np.exp(1j * _phases(len(harmonic), voice))
    tables = []
    for band in range(len(edges) + 1):
        bins = np.zeros(_TABLE // 2 + 1, np.complex128)
        bins[1 : len(harmonic) + 1] = np.where(masks == band, amplitudes, 0) * phases * _TABLE
        table = np.fft.irfft(bins, _TABLE)
        tables.append(np.append(table, table[0]))
    return np.asarray(tables, np.float32)


def _phases(count: int, voice: Voice) -> npt.NDArray[np.float64]:
    # Spread phases keep the crest of a bright wave low, so that it sits in the mix without spikes.
    return np.random.default_rng(count).uniform(0, 2 * np.pi, count) * voice.spread
