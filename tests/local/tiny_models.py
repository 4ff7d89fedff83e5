"""Tiny random checkpoints, packed and served by the model container's own server in its own environment.

What they make is noise in the shape of music: enough for the path that a song takes.
"""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from local import ROOT
from local.checkpoints import CASCADE, Checkpoint, find
from local.container import Container
from local.emulator import free_pair
from local.environments import ENGINE, PACKING, REFERENCE
from local.weights import packed

MUSICGEN = "musicgen-small"
WRITE_SONGS = "import sys, pathlib; from tests.engine import tiny; tiny.write(pathlib.Path(sys.argv[1]))"


def musicgen(folder: Path) -> Path:
    """A published MusicGen, as WEIGHTS=folder names it. Skips where the engine is not installed."""
    if not ENGINE.ready:
        pytest.skip("the engine's environment is not installed: `make test` does it")
    _run([str(ENGINE.python), "-c", WRITE_SONGS, str(folder)])
    return folder


def tracks(folder: Path) -> Path:
    """A trained two-track model's file, EnCodec beside it. Skips where torch is not installed."""
    torch = next((each for each in (REFERENCE, PACKING) if each.ready), None)
    if torch is None or not ENGINE.ready:
        pytest.skip("the engine's environment and torch are not installed: `make test` does it")
    _run([str(torch.python), "-m", "tests.engine.tiny_tracks", str(folder)])
    return folder / "cascade.pt"


def checkpoint(model: str, folder: Path) -> Checkpoint:
    if model == CASCADE:
        return find(model, None, tracks(folder), None)
    return find(model, musicgen(folder), None, None)


@contextmanager
def served(checkpoint: Checkpoint, folder: Path) -> Iterator[str]:
    """The address of a server of this checkpoint."""
    said: list[str] = []
    with ExitStack() as running:
        container = Container(folder, free_pair(), said.append)
        container.start(running, packed(checkpoint, folder / "models", said.append))
        yield container.url


def _run(command: list[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
