"""Deliveries: what is kept of a piece of music when it is over."""

import gc
import time
import weakref
from collections.abc import Iterator

import pytest

from model_container.engine.live import Stats
from model_container.server.contract import Invocation
from model_container.server.songs import Songs
from model_container.server.studio import About, Standing
from tests.engine.serving import ABOUT, Store


class Tune:
    """A performance that gives its music, or breaks with it in hand."""

    def __init__(self, invocation: Invocation, breaks: bool) -> None:
        self.invocation, self.size = invocation, 4
        self.stopped = False
        self._breaks = breaks

    def stream(self) -> Iterator[bytes]:
        yield b"RIFF"
        if self._breaks:
            raise OSError("no more room")

    def stop(self) -> None:
        self.stopped = True

    def standing(self) -> Standing:
        return Standing(1.0, "Playing", 1.0)


class Piano:
    """A studio of tunes."""

    about: About = ABOUT
    invocation: type[Invocation] = Invocation
    closed = False

    def __init__(self, breaks: bool) -> None:
        self.begun: list[weakref.ref[Tune]] = []
        self._breaks = breaks

    def begin(self, invocation: Invocation) -> Tune:
        tune = Tune(invocation, self._breaks)
        self.begun.append(weakref.ref(tune))
        return tune

    def stats(self) -> Stats:
        return Stats(0, 0, 0, 0, 0.0, 0.0)


@pytest.mark.parametrize(("breaks", "status"), [(False, "finished"), (True, "failed")])
def test_nothing_is_kept_of_music_that_is_over_but_how_it_ended(
    store: Store, breaks: bool, status: str
) -> None:
    songs, piano, now = Songs(), Piano(breaks), time.monotonic()
    asked = Invocation.model_validate({"output_url": f"{store.url}/song"})

    delivery, _ = songs.start(piano, asked, "one", now + 60)
    delivery.ended.wait()
    for _ in range(100):  # the thread that delivered it ends a moment later
        gc.collect()
        if piano.begun[0]() is None:
            break
        time.sleep(0.01)

    assert piano.begun[0]() is None
    assert delivery.state().status == status
    assert songs.find("one") is delivery
