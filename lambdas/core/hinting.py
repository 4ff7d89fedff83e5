"""Calls from the hosts of models: something ended there. A hint, and no more.

A genuine call makes the job's next check happen now. What it says of its work is not read, let alone
believed; whether there is such a job is not looked up, so nobody can learn it from the answer. A call that
is lost, late, repeated or about another's job changes when a check happens, and nothing else.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lambdas.core.ports import Clock, Message, Queue
from lambdas.core.signing import genuine, secrets_in

JOB = re.compile(r"[A-Za-z0-9_-]{1,100}")


@dataclass(frozen=True)
class Hints:
    """`secrets` gives what the operator stored: one or more `whsec_…`, or nothing yet."""

    queue: Queue
    secrets: Callable[[], str]
    clock: Clock

    def take(self, headers: Mapping[str, str], body: bytes, job_id: str) -> bool:
        """Whether the call is genuine. headers: by lower-case name; job_id: what our own address said."""
        try:
            keys = secrets_in(self.secrets())
        except ValueError:  # a secret that is none verifies nothing
            return False
        if not genuine(keys, headers, body, self.clock()):
            return False
        if JOB.fullmatch(job_id):
            self.queue.send(Message(job_id=job_id))
        return True
