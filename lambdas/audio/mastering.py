"""From what a backend returned to what a listener gets: the stages of this package in their order."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from lambdas.audio.decode import decode
from lambdas.audio.encode import encode
from lambdas.audio.level import Levelled, Programme, analyse, level
from lambdas.audio.lossy import encode_lossy, level_for_codecs
from lambdas.audio.peaks import peaks
from lambdas.audio.provenance import SIGNABLE, Signer, SigningError, sign
from lambdas.audio.tags import Generator, tags
from lambdas.core.recordings import Format, Label, Measurement, Recording

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Mastering:
    """Masters recordings. Without a signer the files carry their tags alone."""

    signer: Signer | None
    version: str  # of Cadenza, for tags and manifests
    max_seconds: float = 600.0  # of 48 kHz stereo: what mastering holds in 2 GB of memory

    def master(self, raw: bytes, label: Label) -> Recording:
        """Return the recording in every format. Raises UnusableAudio when `raw` cannot be mastered.

        A file that cannot be signed is delivered unsigned: the song is worth more than its certificate.
        """
        generator = Generator("Cadenza", self.version)
        programme = analyse(decode(raw, self.max_seconds))
        levelled = level(programme)
        files = encode_all(programme, levelled, label, generator)
        signed = {} if self.signer is None else sign_all(files, label, self.signer, generator)
        return Recording(
            files={**files, **signed},
            peaks=peaks(levelled.waveform),
            measurement=measurement(levelled),
            signed=frozenset(signed),
        )


def encode_all(
    programme: Programme, levelled: Levelled, label: Label, generator: Generator
) -> Mapping[Format, bytes]:
    """Return a tagged file per format, each at the delivery level when it is decoded."""
    lossless = {
        form: encode(levelled.waveform, form, tags(label, form, generator))
        for form in (Format.WAV, Format.FLAC)
    }
    quieter = level_for_codecs(programme, levelled)
    lossy = {
        form: encode_lossy(programme, quieter, form, tags(label, form, generator))
        for form in (Format.MP3, Format.OGG)
    }
    return {**lossless, **lossy}


def sign_all(
    files: Mapping[Format, bytes], label: Label, signer: Signer, generator: Generator
) -> Mapping[Format, bytes]:
    """Return those of the files that could be signed, signed."""
    signed: dict[Format, bytes] = {}
    for form in sorted(SIGNABLE & files.keys()):
        try:
            signed[form] = sign(files[form], form, label, signer, generator)
        except SigningError as error:
            log.warning("job %s: its %s stays unsigned: %s", label.job_id, form, error)
    return signed


def measurement(levelled: Levelled) -> Measurement:
    """Return what the job says of its recording."""
    waveform, loudness = levelled.waveform, levelled.loudness
    return Measurement(
        waveform.seconds, waveform.rate, waveform.channels, loudness.integrated, loudness.true_peak
    )
