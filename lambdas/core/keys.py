"""Where a job's files lie in the store. Names only; who may read what is the store's business."""

from typing import TYPE_CHECKING

from lambdas.core.recordings import Format

if TYPE_CHECKING:
    from lambdas.core.jobs import Job


def keys_of(job: "Job") -> dict[str, str]:
    """Where a job's files lie: one key per format, and `peaks`."""
    folder = f"audio/{job.retention_days}d/{job.job_id}"
    return {format: f"{folder}/{job.job_id}.{format}" for format in Format} | {
        "peaks": f"{folder}/peaks.json"
    }


def raw_key(job: "Job", attempt: int) -> str:
    """Where an attempt's model puts its audio. Each attempt has its own, so a straggler harms nobody."""
    return f"raw/{job.job_id}/{attempt}"


def progress_key(job: "Job", attempt: int) -> str:
    """Where an attempt's model tells how far it is."""
    return f"{raw_key(job, attempt)}.json"


def tail_key(job: "Job", attempt: int) -> str:
    """Where an attempt's model hears the end of the segment before."""
    return f"{raw_key(job, attempt)}-before.wav"


def input_key(job: "Job", index: int) -> str:
    """Where a source lies once it is ready for a model."""
    return f"raw/{job.job_id}/input-{index}.wav"
