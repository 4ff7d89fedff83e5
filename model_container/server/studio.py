"""Invocations to songs: fetch what goes in, play, give what comes out.

Knows addresses and the engine. Must not know HTTP as a server, or what becomes of a song.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from model_container.engine import wav
from model_container.engine.decoder import FloatArray
from model_container.engine.live import Engine, Live
from model_container.server import transfer
from model_container.server.contract import Audio, Invocation
from model_container.server.sounds import read_wav

MAX_SECONDS = 300.0  # of a recording or a melody


@dataclass(frozen=True, eq=False)
class Performance:
    """A song under way for an invocation."""

    invocation: Invocation
    live: Live
    began: float


class Studio:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._rate = engine.model.config.codec.rate
        self._channels = engine.model.config.decoder.channels

    def begin(self, invocation: Invocation) -> Performance:
        """Blocks while inputs are fetched.

        Raises ValueError, transfer.TransferError, live.FullError, live.ClosedError.
        """
        began = time.monotonic()
        sound = self._fetch(invocation.audio)
        melody = invocation.audio is not None and invocation.audio.role == "melody"
        request = invocation.request(
            self.engine.model.config.codec.frame_rate,
            recording=None if melody else sound,
            melody=sound.mean(axis=0) if melody and sound is not None else None,
        )
        return Performance(invocation, self.engine.play(request), began)

    def size(self, performance: Performance) -> int:
        """Bytes that `stream` will give."""
        return len(self._header(performance)) + self._samples(performance) * self._channels * 2

    def stream(self, performance: Performance) -> Iterator[bytes]:
        """The WAV as it is made; blocks between pieces. Raises live.FailedError."""
        pieces = iter(performance.live)
        first = next(pieces, None)
        if first is None:
            return
        yield self._header(performance) + wav.pcm(first)
        for piece in pieces:
            yield wav.pcm(piece)

    def seconds(self, performance: Performance) -> float:
        """Music made by now."""
        return performance.live.made / self.engine.model.config.codec.frame_rate

    def _fetch(self, audio: Audio | None) -> FloatArray | None:
        if audio is None:
            return None
        return read_wav(transfer.get(str(audio.url), "the input audio"), self._rate, MAX_SECONDS)

    def _samples(self, performance: Performance) -> int:
        return performance.live.frames * self.engine.model.config.codec.hop

    def _header(self, performance: Performance) -> bytes:
        return wav.header(self._samples(performance), self._channels, self._rate)
