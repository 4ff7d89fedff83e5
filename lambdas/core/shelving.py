"""Labels a finished job's files and puts them in place. The row that speaks of them is written later."""

from hashlib import sha256

from lambdas.core.jobs import Job, keys_of
from lambdas.core.pieces import Audio, File
from lambdas.core.ports import ObjectStore
from lambdas.core.recordings import CONTENT_TYPES, Label, Recording


def label(job: Job) -> Label:
    """What the files of a job say of their origin."""
    return Label(
        title=job.name,
        job_id=job.job_id,
        model=job.piece.model,
        model_revision=job.revision,
        licence=job.licence,
        seed=job.piece.seed,
        mock=job.mock,
    )


def store(objects: ObjectStore, job: Job, recording: Recording) -> Audio:
    """Write every format and the peaks; what the row will say of them."""
    keys = keys_of(job)
    for format, data in recording.files.items():
        objects.write(keys[format], data, CONTENT_TYPES[format], f"{job.name}.{format}")
    objects.write(keys["peaks"], recording.peaks, "application/json", f"{job.name}.json")
    files = {
        format: File(bytes=len(data), sha256=sha256(data).hexdigest(), signed=format in recording.signed)
        for format, data in recording.files.items()
    }
    return Audio(files=files, measurement=recording.measurement)


def copy(objects: ObjectStore, source: Job | None, job: Job) -> Audio | None:
    """Give a job another's files; None when there are none to be had, or not all of them."""
    if source is None or not source.playable:
        return None
    theirs, ours = keys_of(source), keys_of(job)
    whole = all(objects.copy(theirs[name], ours[name]) for name in theirs)
    return source.audio if whole else None
