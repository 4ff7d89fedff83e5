"""What a process that decodes strangers' files cannot get from ours."""

import ctypes
import subprocess
import sys

import pytest

from lambdas.audio.inputs import Inputs
from lambdas.core.errors import UnusableAudio
from lambdas.core.ports import Cut

GET_DUMPABLE = 3  # linux/prctl.h
WHOLE = Cut(start=0.0, end=None, longest=16.0, rate=24_000, channels=1)


@pytest.mark.skipif(sys.platform != "linux", reason="what is held here is Linux's")
def test_while_a_child_runs_nobody_can_read_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    libc, readable = ctypes.CDLL(None), list[bool]()

    def watched(*_: object, **__: object) -> None:
        readable.append(bool(libc.prctl(GET_DUMPABLE, 0, 0, 0, 0)))
        raise subprocess.TimeoutExpired("decoder", 1)

    monkeypatch.setattr(subprocess, "run", watched)

    with pytest.raises(UnusableAudio):
        Inputs().prepare(b"", WHOLE)

    assert readable == [False]
    assert libc.prctl(GET_DUMPABLE, 0, 0, 0, 0) == 1
