"""What a host has made becomes part of a piece, or the piece itself: measured, joined, mastered, put away.

Knows files and the ports of sound. Must not know who made them, or what a job does next.
"""

from dataclasses import dataclass

from lambdas.core import shelving
from lambdas.core.errors import MissingAudio, UnusableAudio
from lambdas.core.jobs import Job, raw_key
from lambdas.core.pieces import Audio
from lambdas.core.ports import Joining, Mastering, ObjectStore, Stretch
from lambdas.core.segments import Part

SHORT = 0.5  # seconds by which a segment may fall short of what was asked


def is_last(job: Job) -> bool:
    """Whether nothing is left to make after the attempt under way."""
    return job.segment is None or job.segment.end >= job.piece.duration


@dataclass(frozen=True)
class Finishing:
    objects: ObjectStore
    joining: Joining
    mastering: Mastering

    def part(self, job: Job) -> Part:
        """The segment that the job's attempt made. Raises UnusableAudio."""
        key, segment = raw_key(job, job.attempt), job.segment
        raw = self._read(key)
        if segment is None:
            raise ValueError(f"Job {job.job_id} is not made in segments.")
        missing = segment.seconds - self.joining.seconds(raw)
        if missing > SHORT:
            raise UnusableAudio(f"The segment is {missing:.1f} s shorter than what was asked.")
        return Part(key=key, start=segment.start, end=segment.end - max(missing, 0.0))

    def master(self, job: Job) -> Audio:
        """The whole piece, its last segment being what the job's attempt made. Raises UnusableAudio."""
        raw = self._read(raw_key(job, job.attempt))
        if job.segment is not None:
            raw = self._joined(job, Stretch(raw, job.segment.start, job.segment.end))
        return shelving.store(self.objects, job, self.mastering.master(raw, shelving.label(job)))

    def _joined(self, job: Job, last: Stretch) -> bytes:
        missing = last.end - last.start - self.joining.seconds(last.raw)
        if missing > SHORT:
            raise UnusableAudio(f"The last segment is {missing:.1f} s shorter than what was asked.")
        parts = [Stretch(self._read(part.key), part.start, part.end) for part in job.parts]
        return self.joining.join([*parts, last])

    def _read(self, key: str) -> bytes:
        raw = self.objects.read(key)
        if raw is None:
            raise MissingAudio("The model finished without leaving any audio.")
        return raw
