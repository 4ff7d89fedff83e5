"""Recordings as callers send them, in every format."""

import io
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import av
import mutagen.flac
import mutagen.id3
import mutagen.mp4
import numpy as np
from av.container import OutputContainer
from numpy.typing import NDArray

from lambdas.audio.waveform import Waveform
from tests.unit.signals import Samples, wav

TAGS: Any = mutagen  # has no types
Codec = tuple[str, str, str]  # FFmpeg's names: container, encoder, sample format
FORMATS: Mapping[str, tuple[Codec, Sequence[int]]] = {
    "WAV of 16 bits": (("wav", "pcm_s16le", "s16"), (8000, 44100, 192000)),
    "WAV of 24 bits": (("wav", "pcm_s24le", "s32"), (48000,)),
    "WAV of floats": (("wav", "pcm_f32le", "flt"), (22050, 96000)),
    "MP3": (("mp3", "libmp3lame", "fltp"), (16000, 44100, 48000)),
    "M4A of AAC": (("ipod", "aac", "fltp"), (24000, 44100, 96000)),
    "M4A of ALAC": (("ipod", "alac", "s16p"), (44100, 48000)),
    "MP4 of AAC": (("mp4", "aac", "fltp"), (48000,)),
    "FLAC": (("flac", "flac", "s16"), (32000, 44100, 96000)),
    "Ogg of Vorbis": (("ogg", "vorbis", "fltp"), (22050, 44100)),
    "Ogg of Opus": (("ogg", "libopus", "flt"), (24000, 48000)),
}
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c626001000000050001a5f645400000000049454e44ae426082"
)


FRONT = struct.pack(">II9sIIIIII", 3, 9, b"image/png", 0, 1, 1, 32, 0, len(PNG)) + PNG
"""The same as a FLAC picture block, a front cover (RFC 9639, 8.8)."""


def tune(seconds: float, rate: int, start: float = 0.0, channels: int = 2) -> Samples:
    """Tones below 3 kHz whose pitch says where in the recording one is, left and right apart."""
    time = start + np.arange(round(seconds * rate)) / rate
    sides = (np.sin(2 * np.pi * (hertz * time + 40 * time**2)) for hertz in (440, 660))
    return np.stack([*sides])[:channels] * 0.4


def encoded(codec: Codec, samples: Samples, rate: int, streams: int = 1, film: str = "") -> bytes:
    """The samples in a container; in `streams` equal streams, and with a film of this codec."""
    container = codec[0]
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        sounds = [_listening(output, codec, len(samples), rate) for _ in range(streams)]
        if film:
            _shoot(output, film)
        for sound in sounds:
            for frame in (*Waveform(samples.astype(np.float32), rate).frames(), None):
                output.mux(sound.encode(frame))
    return file.getvalue()


def _listening(output: OutputContainer, codec: Codec, channels: int, rate: int) -> av.AudioStream:
    _, encoder, sample_format = codec
    # FFmpeg's own Vorbis encoder must be asked for as an experiment; the decoder is none.
    stream = output.add_stream(encoder, rate, {"strict": "experimental"})
    assert isinstance(stream, av.AudioStream)
    stream.codec_context.layout = "mono" if channels == 1 else "stereo"
    stream.codec_context.format = sample_format
    return stream


def _shoot(output: OutputContainer, codec: str) -> None:
    stream = output.add_stream(codec, 25)
    assert isinstance(stream, av.VideoStream)
    stream.width = stream.height = 64
    stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    black: NDArray[np.uint8] = np.zeros((64, 64, 3), np.uint8)
    for frame in (av.VideoFrame.from_ndarray(black, format="rgb24"), None):
        output.mux(stream.encode(frame))


def song(name: str, seconds: float = 3.0, rate: int = 48000, channels: int = 2) -> bytes:
    return encoded(FORMATS[name][0], tune(seconds, rate, channels=channels), rate)


def with_cover(name: str) -> bytes:
    """A song with tags and a picture, as shops sell it."""
    file = io.BytesIO(song(name))
    song_file: Any = TAGS.File(file)
    if name == "MP3":
        song_file.tags.add(TAGS.id3.APIC(mime="image/png", data=PNG))
    elif name == "FLAC":
        song_file.add_picture(TAGS.flac.Picture(FRONT))
    else:
        song_file["covr"] = [TAGS.mp4.MP4Cover(PNG, TAGS.mp4.AtomDataType.PNG)]
    file.seek(0)
    song_file.save(file)
    return file.getvalue()


def bare_wav(
    channels: int = 2, rate: int = 44100, bits: int = 16, claimed: int | None = None, riff: int | None = None
) -> bytes:
    """Three seconds of something under a header that says anything."""
    data = wav(tune(3, 44100), 44100)[44:]
    width = channels * bits // 8
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * width & 0xFFFFFFFF, width & 0xFFFF, bits)
    size = struct.pack("<I", len(data) if claimed is None else claimed)
    whole = struct.pack("<I", 36 + len(data) if riff is None else riff)
    return b"RIFF" + whole + b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + size + data
