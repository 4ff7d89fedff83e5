"""A part of a recording that nobody vouches for, as plain 16-bit PCM. Trusts nothing that the file says.

Runs in a process of its own (see inputs): what FFmpeg does with a hostile file, it does there.
"""

import io
import math
import wave
from collections import deque
from typing import TYPE_CHECKING, cast

import av
import numpy as np
from av.stream import Disposition

from lambdas.audio.sniffing import WANTED, sniff
from lambdas.audio.waveform import Waveform
from lambdas.core.errors import UnusableAudio
from lambdas.core.ports import Cut, Prepared

if TYPE_CHECKING:
    from av.container import InputContainer
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]  # [channels, n], full scale ±1.0

LONGEST = 20 * 60  # seconds of a whole recording
SHORTEST = 1.0  # seconds of a part
CHANNELS = range(1, 9)
RATES = range(8_000, 192_001)  # Hz
FRAME = 1 << 20  # samples of a packet; no encoder writes as many
PACKETS = 1_000_000  # 20 minutes of the shortest frames of Opus are half as many
EXACT = ("flac", "ogg", "mov")  # formats that know their length; of the others FFmpeg only guesses it

DECODERS = (
    *("aac", "alac", "flac", "mp3", "mp3float", "opus", "vorbis", "pcm_alaw", "pcm_mulaw", "pcm_u8"),
    *("pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_s16be", "pcm_s24be", "pcm_s32be"),
)


def excerpt(raw: bytes, cut: Cut) -> Prepared:
    """Decode, cut, mix and resample.

    A file that breaks off or is damaged in places is used as far as it can be decoded. Mono is the mean of
    left and right. What exceeds full scale is made quieter as a whole, never clipped.
    Raises UnusableAudio: no audio format of ours, not exactly one stream of sound, longer than 20 minutes,
    less than 1 s in the part asked for, samples that are not finite, rates or channels that no recording has.
    """
    demuxer, data = sniff(raw)
    try:
        with _open(demuxer, data) as container:
            stream = _sound(container)
            rate = stream.rate
            samples = _read(container, stream, Window(cut, rate))
    except av.FFmpegError as error:
        raise UnusableAudio(f"The file is damaged: {error.strerror}.") from error
    if not np.isfinite(samples).all():
        raise UnusableAudio("The recording holds samples that are not finite numbers.")
    return _written(_resampled(_mixed(samples, cut.channels), rate, cut.rate), cut.rate)


class Window:
    """The samples to keep of all that pass by: of more than the longest wanted, the first or the last."""

    def __init__(self, cut: Cut, rate: int) -> None:
        self.cut, self.rate = cut, rate
        self.first, self.most = round(cut.start * rate), round(cut.longest * rate)
        self.end = math.inf if cut.end is None else round(cut.end * rate)
        self.position = 0  # of the next sample in the recording
        self.length = 0
        self._parts: deque[Samples] = deque()

    @property
    def complete(self) -> bool:
        return self.position >= self.end or (not self.cut.from_end and self.length >= self.most)

    def wants(self, count: int) -> bool:
        return not self.complete and self.position + count > self.first

    def take(self, part: "Samples") -> None:
        """Keep what is wanted of the samples that come next. Moves on."""
        begin, end = max(0, self.first - self.position), min(part.shape[1], self.end - self.position)
        self._parts.append(part[:, begin : int(end)])
        self.length += self._parts[-1].shape[1]
        self.position += part.shape[1]
        while self.cut.from_end and self.length - self._parts[0].shape[1] >= self.most:
            self.length -= self._parts.popleft().shape[1]

    def samples(self) -> "Samples":
        """What was kept. Raises UnusableAudio when that is too little."""
        seconds = self.position / self.rate
        if self.position <= self.first:
            raise UnusableAudio(
                f"The part starts at {self.cut.start:g} s, but the recording has {seconds:.1f} s."
                if self.position
                else "The file holds no sound that can be decoded."
            )
        if self.length < SHORTEST * self.rate - 1:
            held = self.length / self.rate
            raise UnusableAudio(f"The part holds {held:.2f} s of sound; at least {SHORTEST:g} s is needed.")
        whole = np.concatenate(self._parts, axis=1)
        return whole[:, -self.most :] if self.cut.from_end else whole[:, : self.most]


def _open(demuxer: str, data: bytes) -> "InputContainer":
    """Opens nothing but these bytes: FFmpeg is left no protocol, one format and the decoders of audio."""
    options = {
        "protocol_whitelist": "none",
        "format_whitelist": demuxer if demuxer != "mov" else "mov,mp4,m4a,3gp,3g2,mj2",
        "codec_whitelist": ",".join(DECODERS),
        "max_streams": "16",
    }
    return av.open(io.BytesIO(data), "r", format=demuxer, options=options, metadata_errors="replace")


def _sound(container: "InputContainer") -> "av.AudioStream":
    """The one stream of sound, with a rate and channels that a recording can have. Covers are no obstacle."""
    sounds = container.streams.audio
    films = [each for each in container.streams.video if not each.disposition & Disposition.attached_pic]
    if len(sounds) != 1:
        raise UnusableAudio(f"The file holds {len(sounds)} streams of sound; exactly one is needed.")
    if films or container.streams.subtitles:
        raise UnusableAudio(f"The file holds a film; {WANTED}, the sound alone.")
    stream = sounds[0]
    context = cast("av.AudioCodecContext | None", stream.codec_context)
    if context is None or context.codec.name not in DECODERS:
        raise UnusableAudio(f"The sound is coded in a way that is not read here; {WANTED}.")
    if stream.channels not in CHANNELS or stream.rate not in RATES:
        raise UnusableAudio(
            f"The file claims {stream.channels} channels of {stream.rate} Hz: no recording does."
        )
    if container.format.name.split(",")[0] in EXACT and stream.duration and stream.time_base:
        _require_short(float(stream.duration * stream.time_base))
    context.options = {"max_samples": str(FRAME)}
    return stream


def _read(container: "InputContainer", stream: "av.AudioStream", window: Window) -> "Samples":
    convert = av.AudioResampler(format="fltp", layout="mono" if stream.channels == 1 else "stereo")
    seconds = 0.0  # by the packets' own word, once nothing of them is wanted
    for number, packet in enumerate(container.demux(stream)):
        if window.complete:
            seconds += float((packet.duration or 0) * (packet.time_base or 0))
        else:
            _decode(packet, convert, window)
        _require_short(window.position / window.rate + seconds)
        if number > PACKETS:
            raise UnusableAudio("The file is cut into more pieces than any recording is.")
    return window.samples()


def _decode(packet: "av.Packet[av.AudioStream]", convert: "av.AudioResampler", window: Window) -> None:
    try:
        frames = packet.decode()
    except av.error.InvalidDataError:
        return  # as every player does: what cannot be decoded is left out
    for frame in frames:
        if frame.sample_rate != window.rate:
            raise UnusableAudio("The recording changes its sample rate on the way.")
        if not window.wants(frame.samples):
            window.position += frame.samples
            continue
        for converted in convert.resample(frame):
            window.take(cast("Samples", converted.to_ndarray()))


def _require_short(seconds: float) -> None:
    if seconds > LONGEST:
        raise UnusableAudio(f"The recording is longer than {LONGEST // 60} minutes.")


def _mixed(samples: "Samples", channels: int) -> "Samples":
    if channels == len(samples):
        return samples
    return samples.mean(axis=0, keepdims=True) if channels == 1 else np.repeat(samples, channels, axis=0)


def _resampled(samples: "Samples", rate: int, wanted: int) -> "Samples":
    if rate == wanted:
        return samples
    waveform = Waveform(samples, rate)
    convert = av.AudioResampler(format="fltp", layout=waveform.layout, rate=wanted)
    frames = [part for frame in (*waveform.frames(), None) for part in convert.resample(frame)]
    length = round(waveform.length * wanted / rate)
    return np.concatenate([cast("Samples", frame.to_ndarray()) for frame in frames], axis=1)[:, :length]


def _written(samples: "Samples", rate: int) -> Prepared:
    peak = max(1.0, float(np.abs(samples).max()))
    scaled = np.rint(samples.T * np.float32(32768 / peak)).clip(-32768, 32767)
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(len(samples))
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(scaled.astype("<i2").tobytes())
    return Prepared(file.getvalue(), samples.shape[1] / rate)
