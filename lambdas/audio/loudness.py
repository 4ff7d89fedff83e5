"""How loud a waveform is: integrated loudness and true peak (ITU-R BS.1770), by FFmpeg's ebur128."""

import contextlib
import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.filter import Graph

from lambdas.audio.waveform import Waveform

ABSOLUTE_GATE_LUFS = -70.0  # BS.1770: what stays below it does not count as programme


@dataclass(frozen=True, slots=True)
class Loudness:
    """`integrated` in LUFS, `true_peak` in dBTP; None where there is nothing to measure or nobody asked."""

    integrated: float | None
    true_peak: float | None


def measure(waveform: Waveform, *, gain: float = 1.0, true_peak: bool = True) -> Loudness:
    """Measure the waveform times `gain`. True peak costs three times what loudness alone costs.

    Integrated loudness needs at least one 400 ms block above the absolute gate.
    """
    graph = _meter(waveform, true_peak)
    inside: dict[str, str] = {}
    peaks: dict[str, str] = {}
    for frame in _run(graph, itertools.chain(waveform.frames(gain), [_tail(waveform)])):
        # The filter reports whole tenths of a second. The silence after the end brings out the peak of
        # the last part of one, and must not count as programme.
        if frame.pts is not None and frame.pts + frame.samples <= waveform.length:
            inside = frame.metadata
        peaks = frame.metadata or peaks
    return _loudness(inside, peaks)


def _meter(waveform: Waveform, true_peak: bool) -> Graph:
    graph = Graph()
    source = graph.add_abuffer(
        sample_rate=waveform.rate,
        format="fltp",
        layout=waveform.layout,
        time_base=Fraction(1, waveform.rate),
    )
    meter = graph.add("ebur128", f"metadata=1:framelog=quiet:peak={'true' if true_peak else 'none'}")
    graph.link_nodes(source, meter, graph.add("abuffersink")).configure()
    return graph


def _tail(waveform: Waveform) -> av.AudioFrame:
    silence = np.zeros((waveform.channels, waveform.rate // 5), np.float32)
    (frame,) = Waveform(silence, waveform.rate).frames()
    frame.pts = waveform.length
    return frame


def _run(graph: Graph, frames: Iterable[av.AudioFrame]) -> Iterator[av.AudioFrame]:
    for frame in itertools.chain(frames, [None]):
        graph.push(frame)
        with contextlib.suppress(av.BlockingIOError, av.EOFError):
            while True:
                yield graph.pull()  # type: ignore[misc]  # an audio graph yields audio frames


def _loudness(inside: dict[str, str], peaks: dict[str, str]) -> Loudness:
    integrated = float(inside.get("lavfi.r128.I", "-inf"))
    peak = float(peaks.get("lavfi.r128.true_peak", "0"))
    return Loudness(
        integrated if integrated > ABSOLUTE_GATE_LUFS else None,
        20 * math.log10(peak) if peak > 0 else None,
    )
