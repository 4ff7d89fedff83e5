"""A job's recordings, made ready for a model: decoded with limits, cut, resampled, stored as plain WAV.

A caller's file is opened here and nowhere else; hosts of models get what comes out.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from lambdas.core.errors import MissingAudio, UnusableAudio
from lambdas.core.jobs import Job, input_key, tail_key
from lambdas.core.models import Model
from lambdas.core.pieces import Reference, Take
from lambdas.core.ports import Cut, ObjectStore, Preparing


@dataclass(frozen=True)
class Preparation:
    objects: ObjectStore
    preparing: Preparing
    models: Mapping[str, Model]

    def prepare(self, job: Job) -> tuple[Take, ...]:
        """Store what the job's model takes. May be done twice. Raises UnusableAudio."""
        return tuple(self._take(job, index, source) for index, source in enumerate(job.piece.sources))

    def prepare_tail(self, job: Job) -> None:
        """Store the end of the part before, as far as the job's segment hears it. May be done twice.

        Raises UnusableAudio.
        """
        part, segment = job.parts[-1], job.segment
        raw = self.objects.read(part.key)
        if raw is None or segment is None:
            raise MissingAudio("The segment before is no longer there.")
        intake = self.models[job.piece.model].inputs["continue"]
        cut = Cut(
            start=segment.start - part.start,
            end=part.end - part.start,
            longest=part.end - segment.start,
            rate=intake.rate,
            channels=intake.channels,
            from_end=True,
        )
        tail = self.preparing.prepare(raw, cut)
        self.objects.write(tail_key(job, job.attempt), tail.wav, "audio/wav", "before.wav")

    def _take(self, job: Job, index: int, source: Reference) -> Take:
        raw = self.objects.read(source.key)
        if raw is None:
            raise UnusableAudio(f"{_name(source)} is no longer there.")
        intake = self.models[job.piece.model].inputs[source.role]
        cut = Cut(
            start=source.start_time,
            end=source.end_time,
            longest=intake.longest,
            rate=intake.rate,
            channels=intake.channels,
            from_end=source.role == "continue",
        )
        try:
            prepared = self.preparing.prepare(raw, cut)
        except UnusableAudio as error:
            raise UnusableAudio(f"{_name(source)} cannot be used: {error}") from error
        key = input_key(job, index)
        self.objects.write(key, prepared.wav, "audio/wav", "input.wav")
        return Take(role=source.role, key=key, seconds=prepared.seconds)


def _name(source: Reference) -> str:
    return f"Upload {source.upload_id}" if source.upload_id else f"The audio of job {source.job_id}"
