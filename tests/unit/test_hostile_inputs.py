"""What callers may send instead of a recording: refused at once, in a child that can do no harm."""

import ctypes
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from lambdas.audio.inputs import Inputs, environment
from lambdas.core.errors import UnusableAudio
from lambdas.core.ports import Cut
from tests.unit.hostile import HOSTILE, SILENT_FRAME, by_address, by_alias
from tests.unit.recordings import bare_wav, song

IN_ANY_READ = 0x00000001 | 0x00000020  # inotify: accessed, opened
MONO = Cut(start=0.0, end=None, longest=16.0, rate=24_000, channels=1)


@dataclass
class Trap:
    """A file and an address that tell when anybody comes near."""

    path: Path
    address: str
    listener: socket.socket
    watch: int | None

    @property
    def untouched(self) -> bool:
        try:
            self.listener.accept()[0].close()
        except BlockingIOError:
            return not self._opened()
        return False

    def _opened(self) -> bool:
        if self.watch is None:
            return False
        try:
            return bool(os.read(self.watch, 4096))
        except BlockingIOError:
            return False


@pytest.fixture
def trap(tmp_path: Path) -> Iterator[Trap]:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(bare_wav())
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    watch = _watched(secret)
    try:
        yield Trap(secret, f"http://127.0.0.1:{listener.getsockname()[1]}/song.wav", listener, watch)
    finally:
        listener.close()
        if watch is not None:
            os.close(watch)


def _watched(file: Path) -> int | None:
    """A descriptor that becomes readable when the file is opened; None where the system has no inotify."""
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "inotify_init1"):
        return None
    descriptor: int = libc.inotify_init1(os.O_NONBLOCK)
    assert libc.inotify_add_watch(descriptor, bytes(file), IN_ANY_READ) >= 0
    return descriptor


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_recording_is_refused_with_a_reason_and_opens_nothing(name: str, trap: Trap) -> None:
    make, reason = HOSTILE[name]

    with pytest.raises(UnusableAudio, match=reason):
        Inputs().prepare(make(str(trap.path), trap.address), MONO)

    assert trap.untouched


@pytest.mark.parametrize("reference", [by_address, by_alias])
@pytest.mark.parametrize("place", ["path", "address"])
def test_an_mp4_is_not_followed_to_where_it_says_its_sound_lies(
    trap: Trap, reference: Callable[[str], bytes], place: str
) -> None:
    with suppress(UnusableAudio):  # or its own bytes are taken, as far as they are sound
        Inputs().prepare(reference(str(getattr(trap, place))), MONO)

    assert trap.untouched


def test_the_trap_closes(trap: Trap) -> None:
    assert trap.untouched
    trap.path.read_bytes()
    assert not trap.untouched or trap.watch is None

    socket.create_connection(trap.listener.getsockname()).close()
    assert not trap.untouched


def test_a_decoding_that_wants_too_much_memory_is_refused():
    with pytest.raises(UnusableAudio, match="memory"):
        Inputs(memory=1 << 20).prepare(song("WAV of 16 bits"), MONO)


def test_of_a_long_recording_no_more_is_in_memory_than_its_part():
    nineteen_minutes = SILENT_FRAME * round(19 * 60 / 0.036)  # 420 MB once it is decoded and resampled
    last = Cut(start=0.0, end=None, longest=16.0, rate=48_000, channels=2, from_end=True)

    assert Inputs(memory=400 << 20).prepare(nineteen_minutes, last).seconds == 16.0


def test_a_decoding_that_takes_too_long_is_refused():
    with pytest.raises(UnusableAudio, match="too long"):
        Inputs(seconds=0).prepare(song("WAV of 16 bits"), MONO)


def test_a_fault_of_ours_is_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")

    with pytest.raises(RuntimeError, match="The decoder failed"):
        Inputs().prepare(song("WAV of 16 bits"), MONO)


def test_the_child_is_told_no_secret():
    ours = {"PATH": "/bin", "AWS_SECRET_ACCESS_KEY": "secret", "CADENZA_SETTINGS": "{}", "HOME": "/root"}

    assert environment(ours).keys() == {"PATH", "PYTHONPATH"}
