"""A studio that opens while the server already answers: loading, open, or unusable with the reason.

Knows threads. Must not know HTTP, or what a studio loads. SageMaker gives a container minutes until its
first healthy ping and reads no exit code: a model that cannot be used says so at every ping instead.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

from model_container.engine.config import CheckpointError
from model_container.engine.places import ClosedError
from model_container.server.capacity import resident
from model_container.server.studio import Studio

logger = logging.getLogger(__name__)

Load = Callable[[ExitStack], Studio]  # what it opens closes with the stack


class LoadingError(Exception):
    """The model is not loaded yet."""


class UnusableError(Exception):
    """There is no model that could be used, and there will be none; the message says why."""


class Opening:
    def __init__(self, load: Load) -> None:
        self._load = load
        self._opened = ExitStack()
        self._studio: Studio | None = None
        self._fault: str | None = None
        self._thread = threading.Thread(target=self._run, name="opening", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wait(self) -> None:
        """Return when it is no longer loading."""
        self._thread.join()

    def close(self) -> bool:
        """Close the studio, once what it makes is made. False, and no effect, when it is still loading."""
        if self._thread.is_alive():
            return False
        self._opened.close()
        return True

    def studio(self) -> Studio:
        """Raises LoadingError, UnusableError, or ClosedError when it takes nothing more."""
        if self._fault is not None:
            raise UnusableError(self._fault)
        if self._studio is None:
            raise LoadingError("The model is being loaded.")
        if self._studio.closed:
            raise ClosedError("The engine is stopping.")
        return self._studio

    def _run(self) -> None:
        began = time.monotonic()
        try:
            studio = self._load(self._opened)
        except CheckpointError as error:
            self._fault = str(error)
            logger.error("not loaded", extra={"reason": self._fault})
        except Exception:
            self._fault = "The model could not be loaded; the log says why."
            logger.exception("not loaded", extra={"reason": self._fault})
        else:
            self._studio = studio
            seconds = round(time.monotonic() - began, 3)
            logger.info("loaded", extra={**vars(studio.about), "seconds": seconds, "resident": resident()})
