"""Serve a packed model: python -m model_container.serve FOLDER [--port 8080]

Knows the machine and what is built from what. Must not know routes or songs.
"""

import argparse
import logging
import sys
from pathlib import Path

import uvicorn

from model_container.engine.config import CheckpointError
from model_container.engine.live import Engine
from model_container.engine.model import Model
from model_container.server import capacity, logs
from model_container.server.app import App
from model_container.server.studio import Studio

logger = logging.getLogger("model_container.serve")

GRACE = 3600  # seconds; SIGTERM waits for the songs that run, and whoever sent it has a limit of its own


def main(arguments: list[str] | None = None) -> int:
    options = _parse(arguments)
    logs.configure()
    threads = options.threads or capacity.cpus()
    try:
        slots = options.slots or capacity.slots(options.folder, options.memory or capacity.memory())
        model = Model.load(options.folder, slots=slots, threads=threads, decoder=options.decoder)
    except CheckpointError as error:
        logger.error("not loaded", extra={"reason": str(error)})
        return 1
    logger.info("loaded", extra={"slots": slots, "threads": threads, "resident": capacity.resident()})
    with Engine(model, queue_size=options.queue) as engine:
        app = App(Studio(engine), options.deadline).asgi()
        config = uvicorn.Config(
            app,
            options.host,
            options.port,
            log_config=None,
            timeout_graceful_shutdown=GRACE,
            server_header=False,
        )
        uvicorn.Server(config).run()
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m model_container.serve", description="Serve a packed model"
    )
    parser.add_argument("folder", type=Path, help="what python -m model_container.pack wrote")
    parser.add_argument("--host", default="0.0.0.0")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--decoder", choices=["auto", "native", "onnx", "torch"], default="auto")
    parser.add_argument("--threads", type=int, default=0, help="default: the CPU quota")
    parser.add_argument("--memory", type=int, default=0, help="bytes; default: the memory limit")
    parser.add_argument("--slots", type=int, default=0, help="songs at a time; default: what memory holds")
    parser.add_argument("--queue", type=int, default=16, help="songs that may wait for a slot")
    parser.add_argument("--deadline", type=float, default=3600, help="seconds that a song may take")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
