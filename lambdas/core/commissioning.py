"""What a host is given for an attempt: the piece or a segment of it, and addresses that are good now.

Writes nothing, and gives the same for every step of an attempt, but for the addresses' signatures.
"""

from dataclasses import dataclass

from lambdas.core.jobs import Job, progress_key, raw_key, tail_key
from lambdas.core.pieces import Piece
from lambdas.core.ports import Links
from lambdas.core.segments import seed
from lambdas.core.works import Input, Work

LINK_SECONDS = 6 * 3600


@dataclass(frozen=True)
class Commissioning:
    links: Links

    def work(self, job: Job) -> Work:
        progress = progress_key(job, job.attempt)
        return Work(
            id=f"{job.job_id}-{job.attempt}",
            attempt=job.attempt,
            piece=_asked(job),
            output_url=self.links.upload(raw_key(job, job.attempt), LINK_SECONDS),
            progress_url=self.links.upload(progress, LINK_SECONDS),
            progress_link=self._link(progress),
            inputs=self._inputs(job),
        )

    def _inputs(self, job: Job) -> tuple[Input, ...]:
        """The first segment hears what the whole piece would; a later one only what came right before."""
        if job.parts and job.segment is not None:
            tail = self._link(tail_key(job, job.attempt))
            return (Input("continue", tail, job.made - job.segment.start),)
        return tuple(Input(take.role, self._link(take.key), take.seconds) for take in job.inputs or ())

    def _link(self, key: str) -> str:
        return self.links.download(key, LINK_SECONDS)


def _asked(job: Job) -> Piece:
    if job.segment is None:
        return job.piece
    return job.piece.but(duration=job.segment.seconds, seed=seed(job.piece.seed, len(job.parts)))
