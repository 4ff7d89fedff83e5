"""Recordings from callers, decoded in a child process with no credentials, little memory and little time.

A file that crashes FFmpeg, fills the memory or never ends is one more unusable file; nothing else is harmed.
"""

import ctypes
import io
import json
import os
import resource
import subprocess  # nosec B404
import sys
import wave
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass

from lambdas.core.errors import UnusableAudio
from lambdas.core.ports import Cut, Prepared

UNUSABLE = 3  # the child's exit status when its output says why
KNOWN = ("PATH", "LD_LIBRARY_PATH", "LANG", "PYTHONPYCACHEPREFIX")
"""All that the child learns of our environment."""
SET_DUMPABLE = 4  # linux/prctl.h


@dataclass(frozen=True)
class Inputs:
    """Implements ports.Preparing. Limits of one decoding: bytes of address space, seconds."""

    memory: int = 1 << 30
    seconds: int = 40

    def prepare(self, raw: bytes, cut: Cut) -> Prepared:
        """As excerpt.excerpt does. Raises UnusableAudio; RuntimeError for a fault of ours."""
        task = json.dumps({"cut": asdict(cut), "memory": self.memory, "seconds": self.seconds})
        try:
            with _unreadable():
                child = subprocess.run(  # nosec B603
                    [sys.executable, "-P", "-m", __name__, task],
                    input=raw,
                    capture_output=True,
                    timeout=self.seconds,
                    env=environment(os.environ),
                    check=False,
                )
        except subprocess.TimeoutExpired:
            raise UnusableAudio("The file takes too long to decode.") from None
        if child.returncode == UNUSABLE:
            raise UnusableAudio(child.stdout.decode())
        if child.returncode < 0:
            raise UnusableAudio("The file cannot be decoded with reasonable time and memory.")
        if child.returncode:
            raise RuntimeError(f"The decoder failed: {child.stderr[-2000:].decode(errors='replace')}")
        with wave.open(io.BytesIO(child.stdout)) as wav:
            return Prepared(child.stdout, wav.getnframes() / wav.getframerate())


def environment(ours: Mapping[str, str]) -> dict[str, str]:
    """What the child needs to start, and no more: credentials stay here."""
    known = {name: ours[name] for name in KNOWN if name in ours}
    return known | {"PYTHONPATH": os.pathsep.join(path or os.curdir for path in sys.path)}


@contextmanager
def _unreadable() -> Iterator[None]:
    """For so long, processes of our own user cannot read our memory and environment in /proc (prctl(2))."""
    control = getattr(ctypes.CDLL(None), "prctl", lambda *_: 0)  # a system without it has no /proc either
    control(SET_DUMPABLE, 0, 0, 0, 0)
    try:
        yield
    finally:
        control(SET_DUMPABLE, 1, 0, 0, 0)


def _confine(memory: int, seconds: int) -> None:
    """From here on this process can neither grow, nor run for long, nor write a file."""
    limits = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for limit, value in limits.items():
        with suppress(ValueError, OSError):  # a system that knows no such limit
            resource.setrlimit(limit, (value, value))


def _main(cut: Mapping[str, float], memory: int, seconds: int) -> int:
    from lambdas.audio.excerpt import excerpt

    _confine(memory, seconds)
    try:
        answer, status = excerpt(sys.stdin.buffer.read(), Cut(**cut)).wav, 0  # type: ignore[arg-type]
    except UnusableAudio as error:
        answer, status = str(error).encode(), UNUSABLE
    except MemoryError:
        answer, status = b"The file cannot be decoded with reasonable memory.", UNUSABLE
    sys.stdout.buffer.write(answer)
    return status


if __name__ == "__main__":
    sys.exit(_main(**json.loads(sys.argv[1])))
