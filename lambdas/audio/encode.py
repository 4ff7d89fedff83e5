"""A waveform to a file's bytes. Knows the formats and their settings, not how loud the waveform should be."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import av

from lambdas.audio.waveform import Waveform
from lambdas.core.recordings import Format

MPEG_RATES = {16000, 22050, 24000, 32000, 44100, 48000}  # Hz; MPEG-1 and MPEG-2 layer III
OPUS_RATE = 48000


@dataclass(frozen=True, slots=True)
class Codec:
    """How FFmpeg writes a format; `bit_rate` in bit/s per channel, None for lossless."""

    container: str
    encoder: str
    sample_format: str
    bit_rate: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)


CODECS: Mapping[Format, Codec] = {
    Format.WAV: Codec("wav", "pcm_s16le", "s16"),
    Format.FLAC: Codec("flac", "flac", "s16"),
    # LAME's noise shaping doubles the time and saves bits that 256 kbit/s does not lack, so 7 leaves it out.
    Format.MP3: Codec("mp3", "libmp3lame", "fltp", 128_000, {"compression_level": "7"}),
    Format.OGG: Codec("ogg", "libopus", "flt", 80_000),
}


def encode(waveform: Waveform, form: Format, tags: Mapping[str, str]) -> bytes:
    """Return a complete file: WAV and FLAC of 16 bits, MP3 of 256, Opus of 160 kbit/s (mono: half).

    All four decode to the waveform's own length: MP3 and Opus carry their encoder's delay and padding.
    """
    codec = CODECS[form]
    file = io.BytesIO()
    with av.open(file, "w", format=codec.container) as container:
        container.metadata.update(tags)
        rate = _rate(form, waveform.rate)
        stream = cast("av.AudioStream", container.add_stream(codec.encoder, rate, dict(codec.options)))
        stream.codec_context.layout = waveform.layout
        stream.codec_context.format = codec.sample_format
        if codec.bit_rate is not None:
            stream.codec_context.bit_rate = _bit_rate(codec.bit_rate * waveform.channels, form, rate)
        for frame in waveform.frames():
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def _rate(form: Format, rate: int) -> int:
    if form is Format.OGG:
        return OPUS_RATE
    return rate if form is not Format.MP3 or rate in MPEG_RATES else 48000


def _bit_rate(wanted: int, form: Format, rate: int) -> int:
    """MPEG-2 layer III, for the lower sample rates, ends at 160 kbit/s."""
    return min(wanted, 160_000) if form is Format.MP3 and rate < 32000 else wanted
