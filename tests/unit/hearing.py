"""What a listener would notice, as numbers: pulse, onsets, brightness, pitch classes, clicks. NumPy only."""

import numpy as np
import numpy.typing as npt

from lambdas.backends.composer import SAMPLE_RATE

Array = npt.NDArray[np.floating]


def spectrogram(x: Array, size: int, hop: int) -> Array:
    frames = np.lib.stride_tricks.sliding_window_view(x, size)[::hop]
    return np.asarray(np.abs(np.fft.rfft(frames * np.hanning(size).astype(np.float32), axis=1)))


def correlation(x: Array, y: Array) -> float:
    return float(np.asarray(np.corrcoef(x, y))[0, 1])


def onset_strength(x: Array) -> Array:
    """Rise of the log spectrum, a hundred times a second."""
    magnitude = spectrogram(x, 1024, 441)
    loudness = np.log1p(200 * magnitude / magnitude.max())
    return np.asarray(np.maximum(np.diff(loudness, axis=0), 0).sum(axis=1))


def onset_rate(x: Array) -> float:
    strength = onset_strength(x)
    threshold = 1.5 * np.convolve(strength, np.ones(41) / 41, "same") + 0.1 * strength.max()
    middle = strength[1:-1]
    peaks = (middle > strength[:-2]) & (middle >= strength[2:]) & (middle > threshold[1:-1])
    return float(peaks.sum()) / (len(x) / SAMPLE_RATE)


def detected_tempo(x: Array) -> float:
    """Beats per minute whose beat, double and bar best explain the onsets' autocorrelation."""
    strength = onset_strength(x)
    strength = strength - strength.mean()
    count = len(strength)
    power = np.abs(np.fft.rfft(strength, 2 * count)) ** 2
    correlation = np.fft.irfft(power)[:count] / (count - np.arange(count))
    tempi = np.arange(45, 200, 0.25)
    comb = sum(np.interp(k * 6000 / tempi, np.arange(count), correlation) for k in (1, 2, 4))
    return float(tempi[np.argmax(comb * np.exp(-0.5 * (np.log2(tempi / 115) / 0.9) ** 2))])


def low_share(x: Array) -> float:
    power = (spectrogram(x, 2048, 1024) ** 2).sum(axis=0)
    return float(power[np.fft.rfftfreq(2048, 1 / SAMPLE_RATE) < 150].sum() / power.sum())


def centroid(x: Array) -> float:
    level = np.sqrt((spectrogram(x, 2048, 1024) ** 2).sum(axis=0))
    return float((level * np.fft.rfftfreq(2048, 1 / SAMPLE_RATE)).sum() / level.sum())


def chroma(x: Array) -> Array:
    """Share of each pitch class in the spectral peaks between 110 Hz and 1 kHz."""
    hertz = np.fft.rfftfreq(16384, 1 / SAMPLE_RATE)
    heard = (hertz > 110) & (hertz < 1000)
    magnitude = spectrogram(x, 16384, 8192)[:, heard]
    peaks = np.zeros_like(magnitude)
    middle = magnitude[:, 1:-1]
    highest = (middle > magnitude[:, :-2]) & (middle > magnitude[:, 2:])
    peaks[:, 1:-1] = np.where(highest, middle**2, 0)
    classes = np.round(69 + 12 * np.log2(hertz[heard] / 440)).astype(int) % 12
    energy = np.bincount(classes, peaks.sum(axis=0), 12)
    return np.asarray(energy / energy.sum())


def loudest_click(x: Array) -> float:
    """The sharpest sample (third difference) against the sharpness around it, at its worst place."""
    sharpness = np.abs(np.diff(x, 3))
    blocks = sharpness[: len(sharpness) // 64 * 64].reshape(-1, 64)
    around = np.ones(17)
    around[7:10] = 0
    power = np.pad((blocks**2).mean(axis=1), 8, mode="edge")
    local = np.sqrt(np.convolve(power, around / around.sum(), "valid"))
    return float((blocks.max(axis=1) / (local + 3e-4)).max())
