"""The mock composer as a backend: plays by rule, at once, on this machine; needs no weights and no key.

A test phrase in the prompt makes it misbehave, so that every path above it can be tried by hand:

    [[fail]]       refuses for good
    [[fail:2]]     fails twice in passing, then plays
    [[slow:20]]    takes twenty seconds
    [[bug]]        raises an error that nobody planned for

Of recordings, it makes a plain mix: nothing is invented, and nothing is followed.
"""

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import urllib3

from lambdas.backends.download import Download
from lambdas.core.errors import PermanentError, StoreFault, TransientError, Unfit
from lambdas.core.pieces import Piece, Ticket
from lambdas.core.ports import Clock, Failed, Finished, Input, Running, Work

PHRASE = re.compile(r"\[\[(fail|slow|bug)(?::(\d{1,3}))?\]\]")
SILENCE_RATE = 44_100  # Hz

Compose = Callable[[Piece], bytes]  # a piece, its prompt free of test phrases → WAV
Put = Callable[[str, bytes], None]  # a presigned address, the audio
Get = Callable[[str], bytes]


def music(piece: Piece) -> bytes:
    from lambdas.backends import composer

    score = composer.plan(piece.effective_prompt, piece.seed, bpm=piece.bpm, key=piece.key)
    return composer.to_wav(composer.perform(score, piece.duration))


def silence(piece: Piece) -> bytes:
    import io
    import wave

    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as wav:
        wav.setnchannels(2)
        wav.setsampwidth(2)
        wav.setframerate(SILENCE_RATE)
        wav.writeframes(bytes(4 * round(piece.duration * SILENCE_RATE)))
    return buffer.getvalue()


def fetch(url: str) -> bytes:
    """A recording at an address that our own conductor made. Raises TransientError."""
    wav = Download(urllib3.PoolManager(), lambda _: True).wav(url, {})
    if wav is None:
        raise StoreFault("input_missing", "A recording could not be fetched.")
    return wav


@dataclass(frozen=True)
class MockBackend:
    """Implements ports.Backend. A ticket holds all there is to know: when it began, how long it takes."""

    longest: ClassVar[float] = math.inf

    compose: Compose
    put: Put
    clock: Clock
    get: Get = fetch

    def start(self, work: Work) -> Ticket:
        found = PHRASE.search(work.piece.effective_prompt)
        act, number = (found[1], int(found[2] or 0)) if found else ("", 0)
        if act == "bug":
            raise RuntimeError("the prompt asked for an error that nobody planned for")
        if act == "fail" and not number:
            raise PermanentError("refused", "The prompt asked the mock to refuse it.")
        if act == "fail" and work.attempt <= number:
            raise TransientError("unavailable", "The prompt asked the mock to fail for now.")
        began = self.clock()
        plain = PHRASE.sub("", work.piece.effective_prompt).strip()
        self.put(work.output_url, self._sound(work.piece.but(effective_prompt=plain), work.inputs))
        seconds = number if act == "slow" else 0
        return Ticket(
            id=json.dumps({"began": began.timestamp(), "seconds": seconds}), check_after=min(seconds, 1)
        )

    def check(self, _: Work, ticket: Ticket) -> Running | Finished | Failed:
        try:
            told = json.loads(ticket.id)
            elapsed = self.clock().timestamp() - float(told["began"])
            seconds = float(told["seconds"])
        except (ValueError, KeyError, TypeError):
            return Failed("unknown_work", "The mock does not know this work.", transient=True)
        if elapsed >= seconds:
            return Finished()
        return Running(elapsed / seconds, "Playing slowly, as asked", min(2.0, seconds - elapsed))

    def _sound(self, piece: Piece, inputs: Sequence[Input]) -> bytes:
        if not inputs:
            return self.compose(piece)
        if {given.role for given in inputs} != {"track"}:
            raise Unfit("follows_nothing", "The mock follows no recording.")
        from lambdas.backends.mix import mix

        return mix([self.get(given.url) for given in inputs], piece.duration)

    def cancel(self, ticket: Ticket) -> None:
        """The music was written at the start; there is nothing to stop."""
