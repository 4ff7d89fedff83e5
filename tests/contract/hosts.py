"""Every host of a model as the contract sees it: how one is served, and which of the contract it can keep."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

from lambdas.backends.mock import MockBackend, music, silence
from lambdas.core.ports import Backend
from tests.fakes import acestep, container, replicate, sagemaker
from tests.fakes.examples import PIECE
from tests.fakes.hosts import MemoryHost
from tests.fakes.stores import Time

SECONDS = 2.0
Put = Callable[[str, bytes], None]


class Studio(Protocol):
    """The far side of a backend: what the host did, by its own account."""

    @property
    def begun(self) -> int:
        """Songs that it was made to begin; somebody pays for each."""

    @property
    def working(self) -> int:
        """Songs that it is still making."""

    def forget(self) -> None:
        """Know nothing of what was begun, as one that was started anew."""


@dataclass(frozen=True)
class Host:
    """once: the same work sent twice is one song. stops: a canceled song is made no further. at_once: `start`
    returns when the song is made. forgotten: the code of work that the host once knew."""

    serve: Callable[[Put, Time], tuple[Backend, Studio]]
    once: bool
    stops: bool
    at_once: bool = False
    forgotten: str = "unknown_work"


@dataclass
class Here:
    """The studio of a host in our own process: a song is begun and over when it is put somewhere."""

    put: Put
    begun: int = 0
    working: ClassVar[int] = 0

    def hand_in(self, link: str, audio: bytes) -> None:
        self.begun += 1
        self.put(link, audio)

    def forget(self) -> None:
        """There is no memory: what is known stands in the ticket."""


def at_once(make: Callable[[Put, Time], Backend]) -> Host:
    """A host in our own process that makes a song within `start`, anew each time that it is asked."""

    def serve(put: Put, time: Time) -> tuple[Backend, Studio]:
        studio = Here(put)
        return make(studio.hand_in, time), studio

    return Host(serve, once=False, stops=False, at_once=True)


HOSTS: Mapping[str, Host] = {
    "acestep": Host(acestep.serving, once=False, stops=False),
    "container": Host(container.serving, once=True, stops=True),
    "mock, music": at_once(lambda put, clock: MockBackend(music, put, clock)),
    "mock, silence": at_once(lambda put, clock: MockBackend(silence, put, clock)),
    "replicate": Host(replicate.serving, once=False, stops=True),
    "sagemaker, async": Host(sagemaker.serving("async"), once=True, stops=False, forgotten="lost"),
    "sagemaker, gpu": Host(sagemaker.serving("gpu"), once=True, stops=True, forgotten="lost"),
    "sagemaker, serverless": Host(
        sagemaker.serving("serverless"), once=True, stops=False, at_once=True, forgotten="lost"
    ),
}
"""A host of a model joins the contract by one line."""

SCRIPTED: Mapping[str, Host] = {
    "memory": at_once(lambda put, clock: MemoryHost(put, audio=silence(PIECE.but(duration=SECONDS)))),
}
"""What the domain's tests ask instead. It does as it is told, so it keeps only what hangs on no script."""
