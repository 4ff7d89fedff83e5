"""Music that is put at an address: begun once, delivered whether or not anybody waits, asked after by id.

Knows threads and what becomes of a piece of work. Must not know HTTP as a server, or what makes the music.
"""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from model_container.server import transfer
from model_container.server.answers import CanceledError, DeadlineError, problem
from model_container.server.contract import Invocation, State
from model_container.server.studio import Performance, Studio

logger = logging.getLogger(__name__)

PROGRESS_SECONDS = 2.0
REMEMBERED = 1000  # pieces of work that have ended
LAST_WORD = 5  # tries: some callers learn how it ended from nothing else


@dataclass(eq=False)
class Delivery:
    """One piece of music on its way to its address, where it is to be at a moment of time.monotonic()."""

    id: str
    performance: Performance | None  # none when it is over, as it may hold the music
    until: float
    revision: str | None = None  # of the weights that make it
    last: State | None = None  # when nothing changes any more
    ended: threading.Event = field(default_factory=threading.Event)  # and that has been told
    error: Exception | None = None  # why it ended without being delivered

    @property
    def over(self) -> bool:
        return self.last is not None

    def stop(self, why: Exception) -> None:
        """The first reason counts; what is over stays as it is."""
        performance = self.performance
        if performance is not None and not self.over:
            self.error = self.error or why
            performance.stop()

    def wait(self) -> None:
        """Return when it is delivered. Raises why it is not."""
        self.ended.wait()
        if self.error:
            raise self.error

    def state(self) -> State:
        performance = self.performance
        if performance is None or self.last is not None:
            assert self.last is not None
            return self.last
        said, position = self._said(performance), performance.standing().position
        waiting = {"status": "queued", "message": "Waiting for a turn", "queue_position": position}
        return said.model_copy(update=waiting) if position else said

    def end(self, performance: Performance, error: Exception | None) -> None:
        """Nothing changes any more, and nothing is kept but how it ended."""
        self.error = self.error or error
        ending = _ending(self.error, performance.standing().report)
        self.last = self._said(performance).model_copy(update=ending)
        self.performance = None
        performance.stop()

    def _said(self, performance: Performance) -> State:
        standing = performance.standing()
        return State(
            id=self.id,
            status="running",
            progress=standing.progress,
            message=standing.message,
            seconds=standing.seconds,
            work_s=round(standing.worked, 3),
            revision=self.revision,
        )


class Songs:
    def __init__(self) -> None:
        self._deliveries: dict[str, Delivery] = {}
        self._change = threading.Lock()

    def start(self, studio: Studio, invocation: Invocation, id: str, until: float) -> tuple[Delivery, bool]:
        """Begin a piece of work, or find it begun by another request with its id; and whether it is new.

        Raises what Studio.begin raises; who will not read the answer is told at progress_url.
        """
        try:
            with self._change:
                if id in self._deliveries:
                    return self._deliveries[id], False
                performance = studio.begin(invocation)
                delivery = Delivery(id, performance, until, studio.about.revision)
                self._deliveries[id] = delivery
                self._forget()
        except Exception as error:
            if not invocation.respond_async:
                _tell(invocation, _refused(id, error), LAST_WORD)
            raise
        threading.Thread(target=self._deliver, args=(delivery, performance), name=f"song {id}").start()
        return delivery, True

    def find(self, id: str) -> Delivery | None:
        with self._change:
            return self._deliveries.get(id)

    def stop(self, id: str) -> bool:
        """Whether there was something to stop."""
        delivery = self.find(id)
        if delivery is None or delivery.over:
            return False
        delivery.stop(CanceledError("The music was stopped."))
        return True

    def finish(self) -> None:
        """Return when everything has ended."""
        with self._change:
            deliveries = list(self._deliveries.values())
        for delivery in deliveries:
            delivery.ended.wait()

    def _deliver(self, delivery: Delivery, performance: Performance) -> None:
        late = DeadlineError("The music was not made in time.")
        alarm = threading.Timer(max(delivery.until - time.monotonic(), 0), delivery.stop, args=(late,))
        alarm.start()
        error = _attempt(delivery, performance)
        alarm.cancel()
        delivery.end(performance, error)
        # Before anybody who waits is answered: without open requests a serverless container is frozen.
        _tell(performance.invocation, delivery.state(), LAST_WORD)
        logger.info("song ended", extra={"song": delivery.state().model_dump()}, exc_info=delivery.error)
        _strip(delivery.error)
        delivery.ended.set()

    def _forget(self) -> None:
        ended = [id for id, delivery in self._deliveries.items() if delivery.ended.is_set()]
        for id in ended[: max(len(ended) - REMEMBERED, 0)]:
            del self._deliveries[id]


def _attempt(delivery: Delivery, performance: Performance) -> Exception | None:
    """Make it and put it at its address; why that failed."""
    try:
        data, url = _listen(delivery, performance), str(performance.invocation.output_url)
        if delivery.error is None:
            transfer.put(url, data, "audio/wav", "the audio", wanted=lambda: delivery.error is None)
    except Exception as error:
        return error
    return None


def _listen(delivery: Delivery, performance: Performance) -> bytes:
    told, data = 0.0, []
    for piece in performance.stream():
        data.append(piece)
        if not piece or time.monotonic() - told >= PROGRESS_SECONDS:
            _tell(performance.invocation, delivery.state())
            told = time.monotonic()
    return b"".join(data)


def _strip(error: Exception | None) -> None:
    """Of the frames where it was raised, which hold music."""
    if error is not None:
        error.__traceback__ = error.__cause__ = error.__context__ = None


def _tell(invocation: Invocation, state: State, tries: int = 1) -> None:
    if invocation.progress_url is None:
        return
    try:
        said = state.model_dump_json().encode()
        transfer.put(str(invocation.progress_url), said, "application/json", "progress", tries)
    except transfer.TransferError as error:  # the music matters more
        logger.warning("progress was not told: %s", error)


def _refused(id: str, error: Exception) -> State:
    told = problem(error)
    return State(id=id, status="failed", message=told.detail, error=told)


def _ending(error: Exception | None, report: Mapping[str, float] | None) -> dict[str, object]:
    match error:
        case None:
            told = dict(report) if report else None
            return {"status": "finished", "message": "Finished", "progress": 1.0, "report": told}
        case CanceledError():
            return {"status": "canceled", "message": "Stopped"}
        case _:
            return {"status": "failed", "message": problem(error).detail, "error": problem(error)}
