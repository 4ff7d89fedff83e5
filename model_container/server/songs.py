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
    """One piece of music on its way to its address."""

    id: str
    performance: Performance
    revision: str | None = None  # of the weights that make it
    over: bool = False  # nothing changes any more
    ended: threading.Event = field(default_factory=threading.Event)  # and that has been told
    error: Exception | None = None  # why it ended without being delivered
    worked: float = 0.0

    def stop(self, why: Exception) -> None:
        """The first reason counts; what is over stays as it is."""
        if not self.over:
            self.error = self.error or why
            self.performance.stop()

    def wait(self) -> None:
        """Return when it is delivered. Raises why it is not."""
        self.ended.wait()
        if self.error:
            raise self.error

    def state(self) -> State:
        standing = self.performance.standing()
        worked = self.worked or time.monotonic() - self.performance.began
        said = State(
            id=self.id,
            status="running",
            progress=standing.progress,
            message=standing.message,
            seconds=standing.seconds,
            work_s=round(worked, 3),
            revision=self.revision,
        )
        if self.over:
            return said.model_copy(update=_ending(self, standing.report))
        waiting = {"status": "queued", "message": "Waiting for a turn", "queue_position": standing.position}
        return said.model_copy(update=waiting) if standing.position else said


class Songs:
    def __init__(self, deadline: float) -> None:
        """deadline: seconds for a piece of work that names none."""
        self._deadline = deadline
        self._deliveries: dict[str, Delivery] = {}
        self._beginning: set[str] = set()
        self._change = threading.Condition()

    def start(self, studio: Studio, invocation: Invocation, id: str) -> tuple[Delivery, bool]:
        """Begin a piece of work, or find it begun by another request with its id; and whether it is new.

        Raises what Studio.begin raises; who will not read the answer is told at progress_url.
        """
        with self._change:
            while id in self._beginning:
                self._change.wait()
            if id in self._deliveries:
                return self._deliveries[id], False
            self._beginning.add(id)
        try:
            delivery = Delivery(id, studio.begin(invocation), studio.about.revision)
            with self._change:
                self._deliveries[id] = delivery
                self._forget()
        except Exception as error:
            if not invocation.respond_async:
                _tell(invocation, _refused(id, error), LAST_WORD)
            raise
        finally:
            with self._change:
                self._beginning.discard(id)
                self._change.notify_all()
        threading.Thread(target=self._deliver, args=(delivery,), name=f"song {id}").start()
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

    def _deliver(self, delivery: Delivery) -> None:
        wanted = delivery.performance.invocation.deadline_s or self._deadline
        late = DeadlineError("The music was not made in time.")
        alarm = threading.Timer(wanted, delivery.stop, args=(late,))
        alarm.start()
        try:
            data = self._listen(delivery)
            if delivery.error is None:
                url = str(delivery.performance.invocation.output_url)
                transfer.put(url, data, "audio/wav", "the audio")
        except Exception as error:
            delivery.error = delivery.error or error
        alarm.cancel()
        delivery.worked = time.monotonic() - delivery.performance.began
        delivery.over = True
        # Before anybody who waits is answered: without open requests a serverless container is frozen.
        _tell(delivery.performance.invocation, delivery.state(), LAST_WORD)
        delivery.ended.set()
        logger.info("song ended", extra={"song": delivery.state().model_dump()}, exc_info=delivery.error)

    def _listen(self, delivery: Delivery) -> bytes:
        told, data = 0.0, []
        for piece in delivery.performance.stream():
            data.append(piece)
            if not piece or time.monotonic() - told >= PROGRESS_SECONDS:
                _tell(delivery.performance.invocation, delivery.state())
                told = time.monotonic()
        return b"".join(data)

    def _forget(self) -> None:
        ended = [id for id, delivery in self._deliveries.items() if delivery.ended.is_set()]
        for id in ended[: max(len(ended) - REMEMBERED, 0)]:
            del self._deliveries[id]


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


def _ending(delivery: Delivery, report: Mapping[str, float] | None) -> dict[str, object]:
    match delivery.error:
        case None:
            told = dict(report) if report else None
            return {"status": "finished", "message": "Finished", "progress": 1.0, "report": told}
        case CanceledError():
            return {"status": "canceled", "message": "Stopped"}
        case error:
            return {"status": "failed", "message": problem(error).detail, "error": problem(error)}
