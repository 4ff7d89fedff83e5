"""One song of the mock composer through every stage of mastering, each stage timed. Knows no statistics."""

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lambdas.audio.decode import decode
from lambdas.audio.encode import encode
from lambdas.audio.level import Levelled, Programme, analyse, level
from lambdas.audio.lossy import encode_lossy, level_for_codecs
from lambdas.audio.mastering import Mastering, sign_all
from lambdas.audio.peaks import peaks
from lambdas.audio.provenance import Signer
from lambdas.audio.tags import Generator, tags
from lambdas.backends import composer
from lambdas.core.recordings import Format, Label
from local.certificate import development_certificate

PROMPT = "upbeat electronic dance music with heavy bass"
GENERATOR = Generator("Cadenza", "bench")

Spent = dict[str, float]  # stage → CPU seconds


def work(seconds: float, seed: int) -> Spent:
    """Compose and master by hand, then master once more at once; also `total_wall` and `peak_mb`."""
    label = Label(PROMPT, "bench", "mock", "1", "CC0-1.0", seed, mock=True)
    signer, spent = Signer(*development_certificate()), Spent()
    composer.perform(composer.plan(PROMPT, seed), 1.0)  # what only the first song of a process pays for
    started = time.perf_counter()
    with _timed(spent, "compose"):
        raw = composer.to_wav(composer.perform(composer.plan(PROMPT, seed), seconds))
    _master(raw, label, signer, spent)
    spent["total_wall"] = time.perf_counter() - started
    with _timed(spent, "master"):
        Mastering(signer, GENERATOR.version).master(raw, label)
    spent["peak_mb"] = _peak_mb()
    return spent


def _master(raw: bytes, label: Label, signer: Signer, spent: Spent) -> None:
    with _timed(spent, "decode"):
        waveform = decode(raw)
    with _timed(spent, "analyse"):
        programme = analyse(waveform)
    with _timed(spent, "level"):
        levelled = level(programme)
    files = _encode(programme, levelled, label, spent)
    with _timed(spent, "sign"):
        sign_all(files, label, signer, GENERATOR)
    with _timed(spent, "peaks"):
        peaks(levelled.waveform)


def _encode(programme: Programme, levelled: Levelled, label: Label, spent: Spent) -> dict[Format, bytes]:
    files: dict[Format, bytes] = {}
    for form in (Format.WAV, Format.FLAC):
        with _timed(spent, form.value):
            files[form] = encode(levelled.waveform, form, tags(label, form, GENERATOR))
    with _timed(spent, "level_for_codecs"):
        quieter = level_for_codecs(programme, levelled)
    for form in (Format.MP3, Format.OGG):
        with _timed(spent, form.value):
            files[form] = encode_lossy(programme, quieter, form, tags(label, form, GENERATOR))
    return files


@contextmanager
def _timed(spent: Spent, stage: str) -> Iterator[None]:
    started = time.process_time()
    yield
    spent[stage] = time.process_time() - started


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1024)
