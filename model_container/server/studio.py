"""Invocations to songs: fetch what goes in, play, put what comes out.

Knows addresses, the engine, and what is said about a song. Must not know HTTP as a server.
"""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass

from model_container.engine import wav
from model_container.engine.decoder import FloatArray
from model_container.engine.live import Engine, Live
from model_container.server import transfer
from model_container.server.contract import Invocation, Progress, Summary
from model_container.server.sounds import read_wav

logger = logging.getLogger(__name__)

PROGRESS_SECONDS = 2.0
MAX_MELODY = 300.0  # seconds


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
        recording = self._sound(str(invocation.continue_url or ""), "the recording", invocation.duration)
        melody = self._sound(str(invocation.melody_url or ""), "the melody", MAX_MELODY)
        request = invocation.request(
            self.engine.model.config.codec.frame_rate,
            recording,
            None if melody is None else melody.mean(axis=0),
        )
        return Performance(invocation, self.engine.play(request), time.monotonic())

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

    def deliver(self, performance: Performance) -> Summary | None:
        """Play to the end; put progress and the WAV at their addresses. None if it was stopped.

        Raises live.FailedError or transfer.TransferError.
        """
        told, data = 0.0, []
        for piece in self.stream(performance):
            data.append(piece)
            if time.monotonic() - told >= PROGRESS_SECONDS:
                self._tell(performance)
                told = time.monotonic()
        if performance.live.stopped():
            return None
        transfer.put(str(performance.invocation.output_url), b"".join(data), "audio/wav", "the audio")
        return self._summary(performance)

    def progress(self, performance: Performance) -> Progress:
        live, rate = performance.live, self.engine.model.config.codec.frame_rate
        return Progress(progress=live.made / live.frames, seconds=live.made / rate)

    def _summary(self, performance: Performance) -> Summary:
        invocation = performance.invocation
        return Summary(
            id=invocation.id,
            duration=self._samples(performance) / self._rate,
            sample_rate=self._rate,
            channels=self._channels,
            seed=invocation.seed,
            seconds=round(time.monotonic() - performance.began, 3),
        )

    def _tell(self, performance: Performance) -> None:
        url = performance.invocation.progress_url
        if url is None:
            return
        try:
            said = self.progress(performance).model_dump_json().encode()
            transfer.put(str(url), said, "application/json", "progress")
        except transfer.TransferError as error:  # the music matters more
            logger.warning("progress was not told: %s", error)

    def _sound(self, url: str, what: str, seconds: float) -> FloatArray | None:
        return read_wav(transfer.get(url, what), self._rate, seconds) if url else None

    def _samples(self, performance: Performance) -> int:
        return performance.live.frames * self.engine.model.config.codec.hop

    def _header(self, performance: Performance) -> bytes:
        return wav.header(self._samples(performance), self._channels, self._rate)
