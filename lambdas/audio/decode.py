"""A file's bytes to a waveform.

Opens nothing but the bytes it was given: no path, no protocol, no playlist.
"""

import io
from collections.abc import Iterator
from typing import cast

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from lambdas.audio.waveform import Waveform
from lambdas.core.errors import UnusableAudio

MIN_SECONDS = 0.1  # less is a click, and some encoders make nothing of it
MAX_SECONDS = 20 * 60
# Demuxers that read one file each. Playlist formats (HLS, concat) could name other files, so they stay out.
DEMUXERS = "wav,w64,aiff,flac,mp3,ogg,mov,aac"
UNKNOWN_RIFF_SIZE = 0x7FFF_0000  # what writes to a pipe declares at least this, not knowing its length
EXACT_LENGTH = {"wav", "w64", "aiff", "flac"}  # formats whose header counts every sample
LOSSY_SLACK_SECONDS = 0.1


def decode(raw: bytes, max_seconds: float = MAX_SECONDS) -> Waveform:
    """Return the waveform of a file that holds exactly one audio stream.

    More than two channels are mixed down to stereo; the sample rate is the file's own.
    Raises UnusableAudio for anything else, and for files that are empty, cut short, shorter than 0.1 s,
    longer than `max_seconds` or that hold samples that are not finite numbers.
    """
    _require_whole_riff(raw)
    try:
        with _open(raw) as container:
            waveform = _read(container, max_seconds)
    except (av.FFmpegError, UnicodeDecodeError) as error:
        raise UnusableAudio(f"The audio cannot be decoded: {error}") from error
    if not np.isfinite(waveform.peak):
        raise UnusableAudio("The audio holds samples that are not finite numbers.")
    return waveform


def _open(raw: bytes) -> InputContainer:
    if not raw:
        raise UnusableAudio("The audio file is empty.")
    options = {"format_whitelist": DEMUXERS, "protocol_whitelist": "none"}
    return av.open(io.BytesIO(raw), "r", options=options, metadata_errors="replace")


def _read(container: InputContainer, max_seconds: float) -> Waveform:
    if len(container.streams) != 1 or len(container.streams.audio) != 1:
        raise UnusableAudio("The file must hold exactly one audio stream and nothing else.")
    stream = container.streams.audio[0]
    rate, limit = stream.rate, int(max_seconds * stream.rate)
    parts: list[NDArray[np.float32]] = []
    length = 0
    for part in _parts(container, "mono" if stream.channels == 1 else "stereo"):
        parts.append(part)
        length += part.shape[1]
        if length > limit:
            raise UnusableAudio(f"The audio is longer than {max_seconds:g} seconds.")
    if length < MIN_SECONDS * rate:
        raise UnusableAudio(f"The file holds {length} samples: no sound, or too short a one.")
    if stream.duration is not None and stream.time_base is not None:
        _require_complete(
            container.format.name, length, float(stream.duration * stream.time_base * rate), rate
        )
    return Waveform(np.concatenate(parts, axis=1), rate)


def _parts(container: InputContainer, layout: str) -> Iterator[NDArray[np.float32]]:
    """Yield planar float32 [channels, n] in the order of the file."""
    convert = av.AudioResampler(format="fltp", layout=layout)
    for frame in container.decode(audio=0):
        for converted in convert.resample(frame):
            yield cast("NDArray[np.float32]", converted.to_ndarray())


def _require_whole_riff(raw: bytes) -> None:
    """FFmpeg takes the file's end for the end of the sound, so a WAV cut short must be caught here."""
    declared = int.from_bytes(raw[4:8], "little") + 8
    if raw[:4] == b"RIFF" and len(raw) < declared < UNKNOWN_RIFF_SIZE:
        raise UnusableAudio(f"The file is cut short: {len(raw)} of {declared} bytes are there.")


def _require_complete(format_name: str, length: int, expected: float, rate: int) -> None:
    slack = 0.5 if format_name in EXACT_LENGTH else LOSSY_SLACK_SECONDS * rate
    if length < expected - slack:
        raise UnusableAudio(f"The file is cut short: {length} of {expected:.0f} samples are there.")
