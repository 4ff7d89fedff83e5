"""One song from its request to its sound, window by window.

Knows codes, sound and conditions. Must not know slots, other songs, or threads.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from model_container.engine.decoder import FloatArray, IntArray
from model_container.engine.delay import DelayedCodes
from model_container.engine.encodec import MIN_FRAMES, CodecStream
from model_container.engine.generate import Window
from model_container.engine.melody import HOP, chroma
from model_container.engine.model import Conditions, Model
from model_container.engine.sampling import Sampling
from model_container.engine.windows import Span, Windows

MAX_FRAMES = 15_000  # five minutes


@dataclass(frozen=True, eq=False)
class Request:
    """What is asked for. Sounds are at the model's rate.

    frames: of the whole song, the recording that it continues included. recording: [channels, samples].
    melody: [samples].
    """

    prompt: str
    frames: int
    sampling: Sampling = field(default_factory=Sampling)
    guidance: float = 3.0
    recording: FloatArray | None = None
    melody: FloatArray | None = None

    def __post_init__(self) -> None:
        if not MIN_FRAMES <= self.frames <= MAX_FRAMES:
            raise ValueError(f"a song has {MIN_FRAMES} to {MAX_FRAMES} frames, not {self.frames}")
        if not 1 <= self.guidance <= 20:
            raise ValueError(f"guidance goes from 1 to 20; {self.guidance} is outside")


class Song:
    """Its sound depends on its request alone, to the bit, whatever is made beside it."""

    def __init__(self, model: Model, request: Request, windows: Windows) -> None:
        """Raises ValueError for a request that this model cannot fulfil."""
        self.request = replace(request, recording=None, melody=None)  # five minutes of them are 77 MB
        self._model, self._windows = model, windows
        recorded = _recorded(model, request)
        self._codes = np.zeros((model.config.decoder.codebooks, request.frames), np.int64)
        self._made: int = recorded.shape[1]
        self._codes[:, : self._made] = recorded
        self._notes = _notes(model, request)
        self._stream = CodecStream(model.codec)
        self._streamed = 0

    @property
    def made(self) -> int:
        """Frames that have all their codes."""
        return self._made

    @property
    def done(self) -> bool:
        return self._made == self.request.frames

    def window(self, slot: int) -> Window:
        """What is to be made next, in a slot."""
        span = self._windows.next(self._made, self.request.frames)
        prompt = self._codes[:, span.start : span.given]
        codes = DelayedCodes(self._model.config.decoder, span.stop - span.start, prompt)
        return Window(
            slot, self._conditions(span), codes, self.request.sampling, self.request.guidance, span.start
        )

    def listen(self, window: Window) -> FloatArray:
        """Take the window's new frames; give the sound that is there now, [channels, samples], often none."""
        made = window.start + window.codes.complete
        self._codes[:, self._made : made] = window.codes.codes(
            self._made - window.start, window.codes.complete
        )
        self._made = made
        sound = self._stream.push(self._codes[:, self._streamed : made])
        self._streamed = made
        if self.done:
            self._stream.end()
        return sound

    def rest(self) -> FloatArray:
        """The sound of the frames taken so far that was not there when they were; waits for it."""
        return self._stream.rest()

    def _conditions(self, span: Span) -> Conditions:
        if self._notes is None:
            return self._model.conditions(self.request.prompt)
        # The melody goes on from window to window, and round if the song is longer.
        first = span.start * self._model.config.codec.hop // HOP
        return self._model.conditions(self.request.prompt, np.roll(self._notes, -first, axis=0))


def _recorded(model: Model, request: Request) -> IntArray:
    """The codes of the recording to go on from, [codebooks, frames]; none of none."""
    if request.recording is None:
        return np.zeros((model.config.decoder.codebooks, 0), np.int64)
    codes = model.codec.encode(_channels(request.recording, model.codec.channels))
    if codes.shape[1] >= request.frames:
        raise ValueError(f"a recording of {codes.shape[1]} frames leaves nothing of {request.frames} to make")
    return codes


def _channels(sound: FloatArray, channels: int) -> FloatArray:
    """Mono from stereo as its mean, stereo from mono as the same on both sides."""
    if len(sound) == channels:
        return sound
    mono: FloatArray = sound.mean(axis=0, keepdims=True)
    return np.repeat(mono, channels, axis=0)


def _notes(model: Model, request: Request) -> FloatArray | None:
    if request.melody is None:
        return None
    if model.config.decoder.melody is None:
        raise ValueError("this model takes no melody")
    return chroma(request.melody, model.config.codec.rate, model.config.decoder.melody.bins)
