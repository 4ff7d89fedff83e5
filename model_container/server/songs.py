"""Songs that nobody waits for: begun at once, delivered to their address, asked after by id.

Knows threads and what became of a song. Must not know HTTP.
"""

import logging
import threading
from dataclasses import dataclass
from typing import Literal

from model_container.server.contract import Invocation, Message, Summary
from model_container.server.studio import Performance, Studio
from model_container.server.transfer import TransferError

logger = logging.getLogger(__name__)

REMEMBERED = 1000  # songs that have ended


class Status(Message):
    id: str
    status: Literal["running", "finished", "failed", "stopped"]
    progress: float
    summary: Summary | None = None
    detail: str | None = None


@dataclass(eq=False)
class _Record:
    thread: threading.Thread | None = None
    performance: Performance | None = None
    ended: Status | None = None


class Songs:
    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._records: dict[str, _Record] = {}
        self._lock = threading.Lock()

    def start(self, invocation: Invocation, timeout: float) -> tuple[Status, bool]:
        """Begin a song, or find it begun: its status, and whether it is new.

        Raises what Studio.begin raises, and ValueError without an id or an address.
        """
        if invocation.id is None or invocation.output_url is None:
            raise ValueError("a song that nobody waits for needs an id and an output_url")
        record = _Record()
        with self._lock:
            if self._records.setdefault(invocation.id, record) is not record:
                return self._status(invocation.id, self._records[invocation.id]), False
            self._forget()
        try:
            performance = record.performance = self._studio.begin(invocation)
        except BaseException:
            with self._lock:
                del self._records[invocation.id]
            raise
        record.thread = threading.Thread(
            target=self._deliver, args=(invocation.id, record, performance, timeout)
        )
        record.thread.start()
        return self._status(invocation.id, record), True

    def check(self, id: str) -> Status | None:
        with self._lock:
            record = self._records.get(id)
        return self._status(id, record) if record else None

    def cancel(self, id: str) -> None:
        """Unknown and ended songs are fine."""
        with self._lock:
            record = self._records.get(id)
        if record and record.performance:
            record.performance.live.stop()

    def finish(self) -> None:
        """Return when every song is delivered."""
        with self._lock:
            threads = [record.thread for record in self._records.values() if record.thread]
        for thread in threads:
            thread.join()

    def _deliver(self, id: str, record: _Record, performance: Performance, timeout: float) -> None:
        alarm = threading.Timer(performance.invocation.timeout or timeout, performance.live.stop)
        alarm.start()
        try:
            summary = self._studio.deliver(performance)
            status: Literal["finished", "stopped"] = "finished" if summary else "stopped"
            progress = self._studio.progress(performance).progress
            record.ended = Status(id=id, status=status, progress=progress, summary=summary)
        except TransferError as error:
            record.ended = Status(id=id, status="failed", progress=0, detail=str(error))
        except Exception:
            logger.exception("a song failed")
            record.ended = Status(id=id, status="failed", progress=0, detail="The song could not be made.")
        finally:
            alarm.cancel()

    def _status(self, id: str, record: _Record) -> Status:
        if record.ended:
            return record.ended
        progress = self._studio.progress(record.performance).progress if record.performance else 0.0
        return Status(id=id, status="running", progress=progress)

    def _forget(self) -> None:
        ended = [id for id, record in self._records.items() if record.ended]
        for id in ended[: max(len(ended) - REMEMBERED, 0)]:
            del self._records[id]
