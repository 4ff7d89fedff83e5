"""Songs by MusicGen for the server: fetch what goes in, play, give what comes out.

Knows addresses and the engine. Must not know HTTP as a server, or what becomes of a song.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from model_container.engine import wav
from model_container.engine.decoder import FloatArray
from model_container.engine.live import Engine, Live, Stats
from model_container.server import transfer
from model_container.server.contract import Audio, Invocation, SongInvocation
from model_container.server.sounds import read_wav
from model_container.server.studio import About, Standing

MAX_SECONDS = 300.0  # of a recording or a melody


@dataclass(frozen=True, eq=False)
class Song:
    """Implements Performance."""

    invocation: SongInvocation
    live: Live
    engine: Engine
    began: float

    @property
    def size(self) -> int:
        return len(self._header()) + self._samples * self._channels * 2

    def stream(self) -> Iterator[bytes]:
        pieces = iter(self.live)
        first = next(pieces, None)
        if first is None:
            return
        yield self._header() + wav.pcm(first)
        for piece in pieces:
            yield wav.pcm(piece)

    def stop(self) -> None:
        self.live.stop()

    def standing(self) -> Standing:
        made, seconds = self.live.made, self.live.made / self.engine.model.config.codec.frame_rate
        position = None if made else self.engine.position(self.live)
        return Standing(made / self.live.frames, "Making music", seconds, position)

    @property
    def _samples(self) -> int:
        return self.live.frames * self.engine.model.config.codec.hop

    @property
    def _channels(self) -> int:
        return self.engine.model.config.decoder.channels

    def _header(self) -> bytes:
        return wav.header(self._samples, self._channels, self.engine.model.config.codec.rate)


class SongStudio:
    """Implements Studio."""

    invocation: type[Invocation] = SongInvocation

    def __init__(self, engine: Engine, about: About) -> None:
        self.engine, self.about = engine, about

    @property
    def closed(self) -> bool:
        return self.engine.closed

    def stats(self) -> Stats:
        return self.engine.stats()

    def begin(self, invocation: Invocation) -> Song:
        if not isinstance(invocation, SongInvocation):
            raise TypeError(invocation)
        began = time.monotonic()
        sound = self._fetch(invocation.audio)
        melody = invocation.audio is not None and invocation.audio.role == "melody"
        request = invocation.request(
            self.engine.model.config.codec.frame_rate,
            recording=None if melody else sound,
            melody=sound[0] if melody and sound is not None else None,
        )
        return Song(invocation, self.engine.play(request), self.engine, began)

    def _fetch(self, audio: Audio | None) -> FloatArray | None:
        if audio is None:
            return None
        data = transfer.get(str(audio.url), "the input audio")
        return read_wav(data, self.engine.model.config.codec.rate, MAX_SECONDS, mono=audio.role == "melody")
