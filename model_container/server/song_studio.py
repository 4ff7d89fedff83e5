"""Songs by MusicGen for the server: fetch what goes in, play, give what comes out.

Knows addresses and the engine. Must not know HTTP as a server, or what becomes of a song.
"""

import threading
from collections.abc import Iterator

from model_container.engine import wav
from model_container.engine.decoder import FloatArray
from model_container.engine.live import Engine, Live, Stats
from model_container.engine.places import Place
from model_container.engine.song import Request
from model_container.server import transfer
from model_container.server.contract import Audio, Invocation, SongInvocation
from model_container.server.sounds import read_wav
from model_container.server.studio import About, Standing

MAX_SECONDS = 300.0  # of a recording or a melody


class Song:
    """Implements Performance."""

    def __init__(self, invocation: SongInvocation, engine: Engine, place: Place) -> None:
        self.invocation = invocation
        self._engine, self._place, self._config = engine, place, engine.model.config
        self._live: Live | None = None
        self._stopped = threading.Event()

    @property
    def size(self) -> int:
        return len(self._header()) + self._samples * self._config.decoder.channels * 2

    def stream(self) -> Iterator[bytes]:
        pieces = iter(self._play())
        first = next(pieces, None)
        if first is None:
            return
        yield self._header() + wav.pcm(first)
        for piece in pieces:
            yield wav.pcm(piece)

    def stop(self) -> None:
        self._stopped.set()
        if self._live is not None:
            self._live.stop()
        self._place.leave()

    def standing(self) -> Standing:
        live = self._live
        if live is None:
            return Standing(0.0, "Getting ready", 0.0)
        position = None if live.made else self._engine.position(live)
        seconds = live.made / self._config.codec.frame_rate
        return Standing(live.made / live.frames, "Making music", seconds, live.worked, position)

    def _play(self) -> Live:
        with self._place.work():
            live = self._live = self._engine.play(self._request(), self._place)
        if self._stopped.is_set():
            live.stop()
        return live

    def _request(self) -> Request:
        asked = self.invocation
        melody, sound = asked.audio is not None and asked.audio.role == "melody", self._fetch(asked.audio)
        return asked.request(
            self._config.codec.frame_rate,
            recording=None if melody else sound,
            melody=sound[0] if melody and sound is not None else None,
        )

    def _fetch(self, audio: Audio | None) -> FloatArray | None:
        if audio is None:
            return None
        with transfer.get(str(audio.url), "the input audio", lambda: not self._stopped.is_set()) as file:
            return read_wav(file, self._config.codec.rate, MAX_SECONDS, mono=audio.role == "melody")

    @property
    def _samples(self) -> int:
        return round(self.invocation.duration * self._config.codec.frame_rate) * self._config.codec.hop

    def _header(self) -> bytes:
        return wav.header(self._samples, self._config.decoder.channels, self._config.codec.rate)


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
        return Song(invocation, self.engine, self.engine.places.take())
