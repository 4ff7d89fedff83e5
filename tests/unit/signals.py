"""Test signals and what is heard of a file, worked out without the code under test."""

import io
import math
import wave
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float64]  # [channels, N]


def wav(samples: Samples, rate: int) -> bytes:
    """A 16-bit PCM file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(len(samples))
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(np.round(samples.T * 32767).clip(-32768, 32767).astype("<i2").tobytes())
    return file.getvalue()


def float_wav(samples: Samples, rate: int) -> bytes:
    """A 32-bit float file, as models write it: levels far below 16 bits, above full scale, not a number."""
    data = samples.T.astype("<f4").tobytes()
    channels = len(samples)
    form = b"".join(
        value.to_bytes(size, "little")
        for value, size in (
            (3, 2),
            (channels, 2),
            (rate, 4),
            (rate * 4 * channels, 4),
            (4 * channels, 2),
            (32, 2),
        )
    )
    chunks = (
        b"WAVEfmt "
        + len(form).to_bytes(4, "little")
        + form
        + b"data"
        + len(data).to_bytes(4, "little")
        + data
    )
    return b"RIFF" + len(chunks).to_bytes(4, "little") + chunks


def noise(seconds: float, rate: int, channels: int = 2) -> Samples:
    return np.random.default_rng(7).standard_normal((channels, round(seconds * rate))) * 0.1


def sine(seconds: float, rate: int, hertz: float, channels: int = 2) -> Samples:
    time = np.arange(round(seconds * rate)) / rate
    return np.tile(np.sin(2 * np.pi * hertz * time), (channels, 1))


def music(seconds: float, rate: int, channels: int = 2) -> Samples:
    """A bass drum, a held chord and a hi-hat."""
    time = np.arange(round(seconds * rate)) / rate
    drum = np.exp(-(time % 0.5) * 12) * np.sin(2 * np.pi * 55 * time)
    chord = sum(np.sin(2 * np.pi * hertz * time) for hertz in (220, 277.2, 329.6)) * 0.08
    hat = noise(seconds, rate, channels) * np.exp(-(time % 0.25) * 40)
    return (drum + chord + hat) * 0.5


def dynamic(seconds: float, rate: int) -> Samples:
    """A whisper, and in its midst a short passage 40 dB louder."""
    samples = music(seconds, rate) * 0.01
    middle = slice(samples.shape[1] // 3, samples.shape[1] // 2)
    samples[:, middle] *= 100
    return samples


def plucks(seconds: float, rate: int) -> Samples:
    """Peaks 25 dB above the loudness: nothing of it fits under the ceiling untouched."""
    time = np.arange(round(seconds * rate)) / rate
    return np.tile(np.exp(-(time % 0.5) * 30) * np.sin(2 * np.pi * 700 * time), (2, 1)) * 0.5


SIGNALS: Mapping[str, Callable[[], tuple[Samples, int]]] = {
    "music": lambda: (music(4, 44100), 44100),
    "music in mono": lambda: (music(4, 32000, channels=1), 32000),
    "music at a low rate": lambda: (music(4, 24000), 24000),
    "one second": lambda: (music(1, 48000), 48000),
    "a length of no round number": lambda: (music(3.14159, 44100), 44100),
    "very dynamic": lambda: (dynamic(6, 44100), 44100),
    "high peaks": lambda: (plucks(4, 44100), 44100),
    "clipped": lambda: (np.clip(music(4, 44100) * 10, -1, 1), 44100),
    "above full scale": lambda: (music(4, 44100) * 10, 44100),
    "very quiet": lambda: (music(4, 48000) * 0.0003, 48000),
    "a sine": lambda: (sine(4, 44100, 997), 44100),
    "a sine whose peaks fall between samples": lambda: (sine(4, 44100, 11025.5) * 0.9, 44100),
    "treble that a codec takes away": lambda: (np.diff(noise(4, 44100), prepend=0.0), 44100),
    "a square wave": lambda: (np.sign(sine(4, 48000, 110)) * 0.9, 48000),
}


@dataclass(frozen=True)
class Heard:
    """A decoded file: float [channels, N], and what FFmpeg's meter says of it."""

    samples: NDArray[np.float32]
    rate: int
    loudness: float
    true_peak: float
    metadata: Mapping[str, str]


def heard(file: bytes) -> Heard:
    """Decode a file and measure it, by FFmpeg's ebur128 in one pass."""
    parts = []
    with av.open(io.BytesIO(file), "r") as container:
        stream = container.streams.audio[0]
        convert = av.AudioResampler(format="fltp")
        graph = av.filter.Graph()
        source = graph.add_abuffer(template=stream)
        meter = graph.add("ebur128", "metadata=1:peak=true:framelog=quiet")
        graph.link_nodes(source, meter, graph.add("abuffersink")).configure()
        said: dict[str, str] = {}
        for frame in [*container.decode(audio=0), None]:
            graph.push(frame)
            parts += [] if frame is None else [part.to_ndarray() for part in convert.resample(frame)]
            said = _drained(graph) or said
        metadata = {**container.metadata, **stream.metadata}
    return Heard(
        np.concatenate(parts, axis=1),
        stream.rate,
        float(said.get("lavfi.r128.I", "-inf")),
        _decibel(float(said.get("lavfi.r128.true_peak", "0"))),
        metadata,
    )


def _drained(graph: av.filter.Graph) -> dict[str, str]:
    said: dict[str, str] = {}
    while True:
        try:
            said = graph.pull().metadata or said
        except (av.BlockingIOError, av.EOFError):
            return said


def _decibel(amplitude: float) -> float:
    return 20 * math.log10(amplitude) if amplitude > 0 else -math.inf
