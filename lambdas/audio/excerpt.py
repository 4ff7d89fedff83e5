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
from lambdas.core.errors import UnusableAudio
from lambdas.core.ports import Cut, Prepared
from lambdas.core.recordings import LONGEST_RECORDING, SHORTEST_PART

if TYPE_CHECKING:
    from av.container import InputContainer
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]  # [channels, n], full scale ±1.0

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
            tape = Tape(cut, stream.rate)
            seconds = _play(container, stream, tape)
    except av.FFmpegError as error:
        raise UnusableAudio(f"The file is damaged: {error.strerror}.") from error
    return _written(_checked(tape.samples(), cut, seconds), cut.rate)


class Tape:
    """Keeps what is wanted of the samples that pass by, mixed and resampled as they come, so that no more is
    in memory than was asked for: of more than the longest part, the first samples or the last."""

    def __init__(self, cut: Cut, rate: int) -> None:
        self._cut, self._rate = cut, rate
        self._start = round(cut.start * rate)
        self._end = math.inf if cut.end is None else round(cut.end * rate)
        self._most = round(cut.longest * cut.rate)
        self._convert = av.AudioResampler("fltp", "mono" if cut.channels == 1 else "stereo", cut.rate)
        self._parts: deque[Samples] = deque()
        self._length = 0
        self.position = 0  # of the next sample in the recording

    @property
    def complete(self) -> bool:
        return self.position >= self._end or (not self._cut.from_end and self._length >= self._most)

    def wants(self, count: int) -> bool:
        return not self.complete and self.position + count > self._start

    def take(self, part: "Samples") -> None:
        """Keep what is wanted of the samples that come next. Raises UnusableAudio."""
        begin, end = max(0, self._start - self.position), min(part.shape[1], self._end - self.position)
        wanted = _mixed(part[:, begin : int(end)], self._cut.channels)
        if not np.isfinite(wanted).all():
            raise UnusableAudio("The recording holds samples that are not finite numbers.")
        frame = av.AudioFrame.from_ndarray(wanted, format="fltp", layout=self._convert.layout.name)
        frame.sample_rate = self._rate
        self._keep(frame)
        self.position += part.shape[1]

    def samples(self) -> "Samples":
        """All that was kept. Ends the tape."""
        self._keep(None)
        whole = np.concatenate([np.zeros((self._cut.channels, 0), np.float32), *self._parts], axis=1)
        return whole[:, -self._most :] if self._cut.from_end else whole[:, : self._most]

    def _keep(self, frame: "av.AudioFrame | None") -> None:
        for converted in self._convert.resample(frame):
            self._parts.append(cast("Samples", converted.to_ndarray()))
            self._length += self._parts[-1].shape[1]
        while self._cut.from_end and self._parts and self._length - self._parts[0].shape[1] >= self._most:
            self._length -= self._parts.popleft().shape[1]


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


def _play(container: "InputContainer", stream: "av.AudioStream", tape: Tape) -> float:
    """Let the recording pass by the tape. Seconds of all that was decoded."""
    convert = av.AudioResampler(format="fltp", layout="mono" if stream.channels == 1 else "stereo")
    rate = stream.rate  # now: a damaged frame may change it, to nothing even
    rest = 0.0  # seconds, by the packets' own word, once nothing of them is wanted
    for number, packet in enumerate(container.demux(stream)):
        if tape.complete:
            rest += float((packet.duration or 0) * (packet.time_base or 0))
        else:
            _decode(packet, convert, rate, tape)
        _require_short(tape.position / rate + rest)
        if number > PACKETS:
            raise UnusableAudio("The file is cut into more pieces than any recording is.")
    return tape.position / rate


def _decode(packet: "av.Packet[av.AudioStream]", convert: "av.AudioResampler", rate: int, tape: Tape) -> None:
    try:
        frames = packet.decode()
    except av.error.InvalidDataError:
        return  # as every player does: what cannot be decoded is left out
    for frame in frames:
        if frame.sample_rate != rate:
            raise UnusableAudio("The recording changes its sample rate on the way.")
        if not tape.wants(frame.samples):
            tape.position += frame.samples
            continue
        for converted in convert.resample(frame):
            tape.take(cast("Samples", converted.to_ndarray()))


def _require_short(seconds: float) -> None:
    if seconds > LONGEST_RECORDING:
        raise UnusableAudio(f"The recording is longer than {LONGEST_RECORDING // 60} minutes.")


def _checked(part: "Samples", cut: Cut, seconds: float) -> "Samples":
    """The part, or UnusableAudio when that is too little of a recording of so many seconds."""
    if not seconds:
        raise UnusableAudio("The file holds no sound that can be decoded.")
    if cut.start >= seconds:
        raise UnusableAudio(f"The part starts at {cut.start:g} s, but the recording has {seconds:.1f} s.")
    held = part.shape[1] / cut.rate
    if held < SHORTEST_PART - 1e-3:
        raise UnusableAudio(f"The part holds {held:.2f} s of sound; at least {SHORTEST_PART:g} s is needed.")
    return part


def _mixed(samples: "Samples", channels: int) -> "Samples":
    if channels == len(samples):
        return np.ascontiguousarray(samples)
    return samples.mean(axis=0, keepdims=True) if channels == 1 else np.repeat(samples, channels, axis=0)


def _written(samples: "Samples", rate: int) -> Prepared:
    samples *= np.float32(32768 / max(1.0, samples.max(), -samples.min()))
    frames = np.rint(samples, out=samples).clip(-32768, 32767, out=samples).astype("<i2").T.tobytes()
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(len(samples))
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(frames)
    return Prepared(file.getvalue(), samples.shape[1] / rate)
