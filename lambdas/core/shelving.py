"""Puts a finished job's files where they belong. The row that speaks of them is written afterwards."""

from hashlib import sha256

from lambdas.core.jobs import Job, Status, keys_of
from lambdas.core.pieces import Audio, File
from lambdas.core.ports import ObjectStore
from lambdas.core.recordings import CONTENT_TYPES, Recording


def store(objects: ObjectStore, job: Job, recording: Recording) -> Audio:
    """Write every format and the peaks; what the row will say of them."""
    keys, name = keys_of(job), job.label.title
    for format, data in recording.files.items():
        objects.write(keys[format], data, CONTENT_TYPES[format], f"{name}.{format}")
    objects.write(keys["peaks"], recording.peaks, "application/json", f"{name}.json")
    files = {
        format: File(bytes=len(data), sha256=sha256(data).hexdigest(), signed=format in recording.signed)
        for format, data in recording.files.items()
    }
    return Audio(files=files, measurement=recording.measurement)


def copy(objects: ObjectStore, source: Job | None, job: Job) -> Audio | None:
    """Give a job another's files; None when there are none to be had, or not all of them."""
    if source is None or source.deleted or source.status is not Status.COMPLETED:
        return None
    theirs, ours = keys_of(source), keys_of(job)
    whole = all(objects.copy(theirs[name], ours[name]) for name in theirs)
    return source.audio if whole else None
