"""Compile the native decoder where there is a C++ compiler: `python -m model_container.native.build`.

Knows compilers and instruction sets. Must not know what the sources compute.

The library is named by the content of its sources and flags: a stale one is never loaded, and an image that
was built with a compiler runs without one.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).parent / "src"
LIBRARIES = Path(__file__).parent / "build"
COMPILERS = "g++", "clang++", "c++"

# Contraction is off and -ffast-math absent because every kernel must round alike.
FLAGS = (
    "-std=c++17",
    "-O3",
    "-fPIC",
    "-fvisibility=hidden",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-pthread",
)

# The rest is compiled for the oldest CPU of its architecture; which kernels run is decided on the machine.
KERNELS: dict[str, dict[str, tuple[str, ...]]] = {
    "x86_64": {
        "kernels_avx2": ("-mavx2",),
        "kernels_avx512vnni": ("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx512vnni"),
    },
    "aarch64": {"kernels_neon": ("-march=armv8.2-a+dotprod",)},
}


class CompilerError(RuntimeError):
    """There is a compiler, but it did not compile; the message is what it said."""


@dataclass(frozen=True)
class Toolchain:
    compiler: str
    machine: str = ""
    flags: tuple[str, ...] = ()

    @property
    def kernels(self) -> dict[str, tuple[str, ...]]:
        machine = self.machine or platform.machine()
        return KERNELS.get({"arm64": "aarch64", "amd64": "x86_64"}.get(machine.lower(), machine), {})

    def units(self) -> list[tuple[Path, tuple[str, ...]]]:
        """Source files with their flags; kernels of other architectures are left out."""
        special = {name for kernels in KERNELS.values() for name in kernels}
        others = special - self.kernels.keys()
        files = [file for file in sorted(SOURCES.glob("*.cpp")) if file.stem not in others]
        return [(file, (*FLAGS, *self.flags, *self.kernels.get(file.stem, ()))) for file in files]

    def digest(self) -> str:
        content = hashlib.sha256()
        for file, flags in self.units():
            content.update(" ".join((file.name, *flags)).encode())
        for file in sorted(SOURCES.iterdir()):
            content.update(file.read_bytes())
        return content.hexdigest()[:16]


def shared_object() -> Path | None:
    """The compiled library, compiled now if need be. None where there is neither it nor a compiler."""
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    return build(Toolchain(compiler or ""))


def build(toolchain: Toolchain) -> Path | None:
    """None when the toolchain names no compiler and nothing was compiled before. Raises CompilerError."""
    file = LIBRARIES / f"cadenza-{toolchain.digest()}.so"
    if file.exists() or not toolchain.compiler:
        return file if file.exists() else None
    LIBRARIES.mkdir(exist_ok=True)
    with _alone(), tempfile.TemporaryDirectory(dir=LIBRARIES) as folder:
        if not file.exists():
            _compile(toolchain, Path(folder)).replace(file)
    return file


@contextmanager
def _alone() -> Iterator[None]:
    """Two processes that find no library compile it once: the second waits and finds it."""
    with (LIBRARIES / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _compile(toolchain: Toolchain, folder: Path) -> Path:
    def compile_unit(unit: tuple[Path, tuple[str, ...]]) -> Path:
        source, flags = unit
        target = folder / f"{source.stem}.o"
        _run(toolchain.compiler, *flags, "-c", str(source), "-o", str(target))
        return target

    with ThreadPoolExecutor(len(os.sched_getaffinity(0)) if sys.platform == "linux" else 2) as pool:
        objects = list(pool.map(compile_unit, toolchain.units()))
    target = folder / "cadenza.so"
    _run(toolchain.compiler, *FLAGS, *toolchain.flags, "-shared", *map(str, objects), "-o", str(target))
    return target


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CompilerError(f"{' '.join(command)}\n{done.stderr}")


if __name__ == "__main__":
    compiled = shared_object()
    print(compiled or "No C++ compiler here: the engine will use ONNX Runtime.")
