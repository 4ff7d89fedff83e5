"""What every model looks like from the server: it begins performances, which can be heard and stopped.

Knows neither HTTP nor models. Must not know what becomes of a performance.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from model_container.engine.live import Stats
from model_container.server.contract import Invocation


@dataclass(frozen=True)
class About:
    """Which model answers here: kind is "songs" or "tracks", device "cpu" or "cuda"."""

    kind: str
    model: str
    revision: str | None
    device: str


@dataclass(frozen=True)
class Standing:
    """How far a performance is: progress 0 to 1, `seconds` of audio, seconds that were `worked` for it: its
    share, where several are made at once. Its place in the line while it waits."""

    progress: float
    message: str
    seconds: float
    worked: float = 0.0
    position: int | None = None
    report: Mapping[str, float] | None = None


class Performance(Protocol):
    """Music that is asked for. It has a place until it is stopped."""

    @property
    def invocation(self) -> Invocation: ...

    def stream(self) -> Iterator[bytes]:
        """The WAV as it is made; an empty piece says that the standing has changed. Blocks between them, and
        at first while inputs are fetched.

        Ends early when stopped. Raises ValueError, transfer.TransferError, places.ClosedError,
        live.FailedError.
        """

    def stop(self) -> None:
        """Leave the place: what was made is not needed any more, and what was not is not made."""

    def standing(self) -> Standing: ...

    @property
    def size(self) -> int:
        """Bytes that `stream` gives in all."""


class Studio(Protocol):
    about: About
    invocation: type[Invocation]  # what it takes

    @property
    def closed(self) -> bool: ...

    def begin(self, invocation: Invocation) -> Performance:
        """Take a place for it. Raises places.FullError, places.ClosedError."""

    def stats(self) -> Stats: ...
