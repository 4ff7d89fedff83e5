"""Outgoing webhooks: tells a job's `webhook_url` how it ended, signed, until it answers.

Follows Standard Webhooks 1.0.0 (https://github.com/standard-webhooks/standard-webhooks): the headers,
the signature and the schedule of tries.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from lambdas.core.errors import PermanentError, TransientError
from lambdas.core.jobs import Job, Status
from lambdas.core.pieces import Webhook
from lambdas.core.ports import Clock, Courier, JobStore, Message, Queue
from lambdas.core.signing import sign
from lambdas.core.views import Reader, instant

MINUTE, HOUR = 60, 3600
SCHEDULE = (
    0, 5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR,
)  # fmt: skip
LONGEST_DELAY = 900  # seconds; what a queue can wait in one go
GONE = 410
EVENTS = {Status.COMPLETED: "job.completed", Status.FAILED: "job.failed"}


@dataclass(frozen=True)
class Announcer:
    jobs: JobStore
    deliveries: Queue
    courier: Courier
    reader: Reader
    secret: Callable[[], bytes]
    clock: Clock
    spread: Callable[[], float] = random.random

    def deliver(self, message: Message) -> int | None:
        """One try. Returns the status answered, None when nothing was sent or nothing answered."""
        now = self.clock()
        if message.not_before is not None and now < message.not_before:
            self._wait(message, now)
            return None
        job = self.jobs.get(message.job_id)
        if job is None or job.deleted or job.webhook is None or job.status not in EVENTS:
            return None
        try:
            status = self._post(job, job.webhook, now)
        except PermanentError:
            return None  # the address must not be called, now or later
        except TransientError:
            status = None
        if status is None or (not 200 <= status < 300 and status != GONE):
            self._again(message, now)
        return status

    def _post(self, job: Job, webhook: Webhook, now: datetime) -> int:
        view = self.reader.render(job, webhook.origin, now)
        body = json.dumps({"type": EVENTS[job.status], "timestamp": instant(now), "data": view}).encode()
        message_id, timestamp = f"msg_{job.job_id}", int(now.timestamp())
        headers = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(self.secret(), message_id, timestamp, body),
        }
        return self.courier.post(webhook.url, body, headers)

    def _again(self, message: Message, now: datetime) -> None:
        attempt = message.attempt + 1
        if attempt >= len(SCHEDULE):
            return
        pause = SCHEDULE[attempt] * (1 + 0.1 * self.spread())
        self._wait(
            Message(job_id=message.job_id, attempt=attempt, not_before=now + timedelta(seconds=pause)), now
        )

    def _wait(self, message: Message, now: datetime) -> None:
        due = message.not_before or now
        self.deliveries.send(message, min(LONGEST_DELAY, max(0.0, (due - now).total_seconds())))
