"""Serve a model: python -m model_container.serve [FOLDER] [--port 8080]

The folder is what `python -m model_container.pack` wrote, or a published checkpoint, which is then packed
into a temporary folder first. Without one it is where SageMaker puts a model's files.

Knows the machine and what is built from what. Must not know routes or songs.
"""

import argparse
import os
import signal
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import uvicorn

from model_container.engine import quota
from model_container.engine.config import CheckpointError
from model_container.engine.device import cuda
from model_container.engine.live import Engine
from model_container.engine.manifest import MANIFEST, Manifest
from model_container.engine.model import Model, choose_decoder
from model_container.server import capacity, logs
from model_container.server.app import App
from model_container.server.opening import Opening
from model_container.server.song_studio import SongStudio
from model_container.server.studio import About, Studio
from model_container.server.track_studio import TrackStudio
from model_container.server.waiting import STALL, limit_stalls
from model_container.tracks.live import TrackEngine
from model_container.tracks.model import TrackModel

SAGEMAKER = Path("/opt/ml/model")
GRACE = 3600  # seconds; SIGTERM waits for the songs that run, and whoever sent it has a limit of its own


def main(arguments: list[str] | None = None) -> int:
    options = _parse(arguments)
    logs.configure()
    signal.signal(signal.SIGTERM, _leave)  # which uvicorn gives back once it has ended what it had
    opening = Opening(partial(_open, options))
    opening.start()
    config = uvicorn.Config(
        App(opening, options.deadline).asgi(),
        options.host,
        options.port,
        log_config=None,
        timeout_graceful_shutdown=GRACE,
        server_header=False,
    )
    listener = config.bind_socket()
    limit_stalls(listener, options.stall)
    try:
        uvicorn.Server(config).run([listener])
    finally:
        if not opening.close():
            os._exit(0)  # the interpreter would not survive its end within a library that loads
    return 0


def _leave(*_: object) -> None:
    sys.exit(0)


def _open(options: argparse.Namespace, running: ExitStack) -> Studio:
    """Raises CheckpointError."""
    folder = _packed(options.folder, running)
    manifest, threads = Manifest.read(folder), options.threads or quota.cpus()
    if manifest.kind == "tracks":
        tracks = TrackModel.load(folder, threads=threads)
        about = About(manifest.kind, manifest.model, manifest.revision, tracks.device)
        return TrackStudio(running.enter_context(TrackEngine(tracks, queue_size=options.queue)), about)
    decoder = choose_decoder(folder) if options.decoder == "auto" else options.decoder
    memory = options.memory or quota.memory()
    slots = options.slots or capacity.slots(folder, decoder, memory, options.queue, dtype=options.dtype)
    model = Model.load(folder, slots=slots, threads=threads, decoder=decoder, dtype=options.dtype)
    device = "cuda" if decoder == "torch" and cuda() else "cpu"
    about = About(manifest.kind, manifest.model, manifest.revision, device)
    return SongStudio(running.enter_context(Engine(model, queue_size=options.queue)), about)


def _packed(folder: Path, running: ExitStack) -> Path:
    if (folder / MANIFEST).exists():
        return folder
    try:
        from model_container.pack import pack  # here, as packing needs what serving does not
    except ModuleNotFoundError as error:
        raise CheckpointError(f"{folder} is not packed, and packing needs {error.name}") from error
    target = Path(running.enter_context(tempfile.TemporaryDirectory())) / "packed"
    pack(folder, target, "fp16" if cuda() else "int8")
    return target


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m model_container.serve", description="Serve a model")
    parser.add_argument(
        "folder", type=Path, nargs="?", default=SAGEMAKER, help=f"packed or published; default: {SAGEMAKER}"
    )
    parser.add_argument("--host", default="127.0.0.1", help="whoever reaches it can have it fetch and put")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--decoder", choices=["auto", "native", "onnx", "torch"], default="auto")
    parser.add_argument(
        "--dtype", choices=["auto", "fp16", "bf16", "fp32"], default="auto", help="on a GPU; default: fp16"
    )
    parser.add_argument("--threads", type=int, default=0, help="default: the CPU quota")
    parser.add_argument("--memory", type=int, default=0, help="bytes; default: the memory limit")
    parser.add_argument("--slots", type=int, default=0, help="songs at a time; default: what memory holds")
    parser.add_argument("--queue", type=int, default=16, help="songs that may wait for a slot")
    parser.add_argument("--deadline", type=float, default=3600, help="seconds that a song may take")
    parser.add_argument("--stall", type=float, default=STALL, help="seconds that a reader may take nothing")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
