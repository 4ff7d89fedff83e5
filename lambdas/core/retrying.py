"""What becomes of a job whose attempt gave nothing: what is noted of its host, and how long it pauses.

A host that fails is struck, and given up after three strikes. One that is well and has no place is put off,
and never given up: it is asked again after the others, to the job's deadline. A pause is its host's own, so
another one need not wait for it. Must not know who said what, or how a host is chosen.
"""

import random
from collections.abc import Callable

from lambdas.core.asking import Setback
from lambdas.core.jobs import STRIKES, Job

LONGEST_WAIT = 300.0  # seconds
PATIENT = 5  # times after which the pause before a host without a place is asked again grows no longer


def backoff(failures: int, spread: Callable[[], float] = random.random) -> float:
    """Seconds to wait after the nth failure in a row: exponential, with half of it drawn at random."""
    ceiling = min(LONGEST_WAIT, 2.0**failures)
    return ceiling / 2 + spread() * ceiling / 2


def without(job: Job, why: Setback) -> Job:
    """The job without its attempt. A host that was known to fail is no fault of the job's."""
    job = job.billed(why.cost_usd)
    if why.ask == "later":
        return job.put_off(why.code, why.detail)
    strikes = STRIKES if why.ask == "elsewhere" else int(not why.expected)
    return job.struck(why.code, why.detail, strikes)


def pause(job: Job, why: Setback, following: str | None, wait: Callable[[int], float]) -> float:
    """Seconds until the next attempt. `job`: with its attempt. `following`: the host that is next, if one is
    in good order. `wait`: seconds after so many failures in a row."""
    after, host = without(job, why), job.backend or ""
    if following is not None and following != host:
        return _grown(after.deferrals.get(following, 0), wait)
    if after.strikes.get(host) == STRIKES:
        return 0.0
    times = (after.deferrals if why.ask == "later" else after.strikes).get(host, 0)
    return max(_grown(max(1, times), wait), why.pause)


def _grown(times: int, wait: Callable[[int], float]) -> float:
    return wait(min(times, PATIENT)) if times else 0.0
