"""Which recordings a request speaks of: its caller's own uploads and finished jobs, and nobody else's."""

from dataclasses import dataclass

from lambdas.core.errors import invalid
from lambdas.core.jobs import Job, Status, keys_of
from lambdas.core.pieces import Reference, Source
from lambdas.core.ports import Clock, JobStore
from lambdas.core.principals import Principal
from lambdas.core.recordings import Format
from lambdas.core.requests import GenerateRequest, SourceRequest
from lambdas.core.uploading import Uploads


@dataclass(frozen=True, slots=True)
class Sources:
    """What a piece is made from; `title` names it after its tracks."""

    tracks: tuple[Source, ...] | None = None
    audio: Reference | None = None
    title: str = ""


@dataclass(frozen=True)
class Sourcing:
    jobs: JobStore
    uploads: Uploads
    clock: Clock

    def find(self, request: GenerateRequest, principal: Principal) -> Sources:
        """Raises RequestError invalid_request: what is another's looks like what never was."""
        tracks, names = [], []
        for index, wanted in enumerate(request.tracks or ()):
            key, name = self._place(wanted, f"/tracks/{index}", principal)
            tracks.append(Source(key=key, **wanted.model_dump()))
            names.append(name)
        audio = None
        if request.audio is not None:
            key, _ = self._place(request.audio, "/audio", principal)
            audio = Reference(key=key, **request.audio.model_dump())
        return Sources(tuple(tracks) or None, audio, " × ".join(names))

    def _place(self, wanted: SourceRequest, pointer: str, principal: Principal) -> tuple[str, str]:
        """A recording's key and name."""
        if wanted.job_id is not None:
            return self._audio(wanted.job_id, wanted.start_time, pointer, principal)
        upload = self.uploads.find(wanted.upload_id or "", principal)
        if upload is None:
            raise invalid(f"{pointer}/upload_id", "There is no such upload.")
        if not self.uploads.arrived(upload):
            raise invalid(f"{pointer}/upload_id", "Nothing has been uploaded there yet.")
        return upload.key, _stem(upload.filename)

    def _audio(self, job_id: str, start: float, pointer: str, principal: Principal) -> tuple[str, str]:
        job = self.jobs.get(job_id)
        if job is None or not self._is_there_for(job, principal):
            raise invalid(f"{pointer}/job_id", "There is no such job.")
        if job.status is not Status.COMPLETED or job.audio is None:
            raise invalid(f"{pointer}/job_id", f"The job is {job.status}: it has no audio.")
        seconds = job.audio.measurement.seconds
        if start >= seconds:
            raise invalid(
                f"{pointer}/start_time", f"It starts at {start:g} s, but the recording has {seconds:.1f} s."
            )
        return keys_of(job)[Format.WAV], job.name

    def _is_there_for(self, job: Job, principal: Principal) -> bool:
        return job.owner == principal.id and not job.deleted and job.expires_at > self.clock()


def _stem(filename: str) -> str:
    stem, dot, _ = filename.rpartition(".")
    return stem if dot and stem else filename
