"""Songs that are put at an address: begun once, delivered whether or not anybody waits, asked after by id.

Knows threads and what becomes of a song. Must not know HTTP as a server.
"""

import logging
import threading
import time
from dataclasses import dataclass, field

from model_container.server import transfer
from model_container.server.answers import CanceledError, DeadlineError, problem
from model_container.server.contract import Invocation, State
from model_container.server.studio import Performance, Studio

logger = logging.getLogger(__name__)

PROGRESS_SECONDS = 2.0
REMEMBERED = 1000  # songs that have ended


@dataclass(eq=False)
class Delivery:
    """One song on its way to its address."""

    id: str
    performance: Performance
    ended: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None  # why it ended without being delivered
    worked: float = 0.0

    def stop(self, why: Exception) -> None:
        """The first reason counts; an ended song stays as it is."""
        if not self.ended.is_set():
            self.error = self.error or why
            self.performance.live.stop()

    def wait(self) -> None:
        """Return when the song is delivered. Raises why it is not."""
        self.ended.wait()
        if self.error:
            raise self.error


class Songs:
    def __init__(self, studio: Studio, deadline: float) -> None:
        """deadline: seconds for a song that names none."""
        self._studio, self._deadline = studio, deadline
        self._deliveries: dict[str, Delivery] = {}
        self._beginning: set[str] = set()
        self._change = threading.Condition()

    def start(self, invocation: Invocation, id: str) -> tuple[Delivery, bool]:
        """Begin a song, or find it begun by another request with its id; and whether it is new.

        Raises what Studio.begin raises.
        """
        with self._change:
            while id in self._beginning:
                self._change.wait()
            if id in self._deliveries:
                return self._deliveries[id], False
            self._beginning.add(id)
        try:
            delivery = Delivery(id, self._studio.begin(invocation))
            with self._change:
                self._deliveries[id] = delivery
                self._forget()
        finally:
            with self._change:
                self._beginning.discard(id)
                self._change.notify_all()
        threading.Thread(target=self._deliver, args=(delivery,), name=f"song {id}").start()
        return delivery, True

    def find(self, id: str) -> Delivery | None:
        with self._change:
            return self._deliveries.get(id)

    def finish(self) -> None:
        """Return when every song has ended."""
        with self._change:
            deliveries = list(self._deliveries.values())
        for delivery in deliveries:
            delivery.ended.wait()

    def state(self, delivery: Delivery) -> State:
        made, live = self._studio.seconds(delivery.performance), delivery.performance.live
        worked = delivery.worked or time.monotonic() - delivery.performance.began
        said = State(
            id=delivery.id,
            status="running",
            progress=live.made / live.frames,
            message="Making music",
            seconds=made,
            work_s=round(worked, 3),
        )
        if delivery.ended.is_set():
            return said.model_copy(update=_ending(delivery))
        position = None if live.made else self._studio.engine.position(live)
        waiting = {"status": "queued", "message": "Waiting for a turn", "queue_position": position}
        return said.model_copy(update=waiting) if position else said

    def _deliver(self, delivery: Delivery) -> None:
        wanted = delivery.performance.invocation.deadline_s or self._deadline
        late = DeadlineError("The song was not made in time.")
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
        delivery.ended.set()
        self._tell(delivery)
        logger.info("song ended", extra={"song": self.state(delivery).model_dump()}, exc_info=delivery.error)

    def _listen(self, delivery: Delivery) -> bytes:
        told, data = 0.0, []
        for piece in self._studio.stream(delivery.performance):
            data.append(piece)
            if time.monotonic() - told >= PROGRESS_SECONDS:
                self._tell(delivery)
                told = time.monotonic()
        return b"".join(data)

    def _tell(self, delivery: Delivery) -> None:
        url = delivery.performance.invocation.progress_url
        if url is None:
            return
        try:
            said = self.state(delivery).model_dump_json().encode()
            transfer.put(str(url), said, "application/json", "progress")
        except transfer.TransferError as error:  # the music matters more
            logger.warning("progress was not told: %s", error)

    def _forget(self) -> None:
        ended = [id for id, delivery in self._deliveries.items() if delivery.ended.is_set()]
        for id in ended[: max(len(ended) - REMEMBERED, 0)]:
            del self._deliveries[id]


def _ending(delivery: Delivery) -> dict[str, object]:
    match delivery.error:
        case None:
            return {"status": "finished", "message": "Finished", "progress": 1.0}
        case CanceledError():
            return {"status": "canceled", "message": "Stopped"}
        case error:
            told = problem(error)
            return {"status": "failed", "message": told.detail, "error": told}
