"""What callers are shown of a job. Links are minted here, at each reading, and stored nowhere."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from json import dumps
from math import ceil
from typing import Any

from lambdas.core.jobs import Job, Status, keys_of
from lambdas.core.ports import Links
from lambdas.core.recordings import Format
from lambdas.core.uploading import Offer

View = dict[str, Any]

HIDDEN: dict[str, Any] = {
    **dict.fromkeys(("model", "model_revision", "prompt", "effective_prompt"), True),
    "tracks": {"__all__": {"key"}},
    "audio": {"key"},
}
"""What a piece's parameters do not show: what is told elsewhere, and where recordings lie."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a pending job stands. Seconds are an estimate."""

    position: int | None = None
    wait_s: float | None = None

    @property
    def retry_after(self) -> int:
        """Seconds until asking again is likely to tell something new."""
        return min(10, max(1, ceil((self.wait_s or 1) / 2)))


@dataclass(frozen=True)
class Reader:
    """Renders jobs, with links that are good for `link_for` at most and half of it at least."""

    links: Links
    bucket: str
    link_for: timedelta

    def render(self, job: Job, origin: str, now: datetime, standing: Standing | None = None) -> View:
        """The job as JSON-ready values, in the field order of the API's documentation."""
        piece, standing = job.piece, standing or Standing()
        return {
            "job_id": job.job_id,
            "status": job.status.value,
            "progress": job.progress,
            "message": job.message,
            "queue_position": standing.position,
            "estimated_wait": standing.wait_s,
            "title": job.name,
            "favourite": job.favourite,
            "model": piece.model,
            "model_revision": job.revision,
            "licence": job.licence,
            "backend": job.backend,
            "mock": job.mock,
            "prompt": piece.prompt,
            "effective_prompt": piece.effective_prompt,
            "parameters": piece.model_dump(
                mode="json",
                exclude_none=True,
                exclude=HIDDEN,
            ),
            "variations": list(job.variations),
            "cached": job.copy_of is not None,
            **self._audio(job, now),
            "report": job.report,
            "cost": job.cost.model_dump(),
            "timings": job.timings.model_dump(),
            "trials": [trial.model_dump() for trial in job.trials],
            "error": job.fault.model_dump() if job.fault else None,
            "created_at": instant(job.created_at),
            "started_at": instant(job.started_at),
            "completed_at": instant(job.completed_at),
            "expires_at": instant(job.expires_at),
            "urls": _urls(job, origin),
        }

    def download(self, job: Job, key: str, format: Format, now: datetime) -> str:
        """A link that saves the file under the job's title."""
        seconds = max(1, int((min(self._until(now), job.expires_at) - now).total_seconds()))
        return self.links.download(key, seconds, f"{job.name}.{format}")

    def _audio(self, job: Job, now: datetime) -> View:
        if job.status is not Status.COMPLETED or job.audio is None:
            absent = (
                "audio_url",
                "audio_url_expires_at",
                "file_key",
                "s3_uri",
                "formats",
                "peaks_url",
                "audio",
            )
            return dict.fromkeys(absent)
        keys, format = keys_of(job), job.piece.format
        until = min(self._until(now), job.expires_at)
        seconds = max(1, int((until - now).total_seconds()))
        return {
            "audio_url": self.links.download(keys[format], seconds),
            "audio_url_expires_at": instant(until),
            "file_key": keys[format],
            "s3_uri": f"s3://{self.bucket}/{keys[format]}",
            "formats": {name.value: file.model_dump() for name, file in job.audio.files.items()},
            "peaks_url": self.links.download(keys["peaks"], seconds),
            "audio": asdict(job.audio.measurement),
        }

    def _until(self, now: datetime) -> datetime:
        """When links minted now end: the same moment for everybody within half a link's life."""
        half = self.link_for.total_seconds() / 2
        end = (now.timestamp() // half + 2) * half
        return datetime.fromtimestamp(end, now.tzinfo)


def upload_view(offer: Offer) -> View:
    return {
        "upload_id": offer.upload.upload_id,
        "url": offer.form.url,
        "fields": dict(offer.form.fields),
        "filename": offer.upload.filename,
        "expires_at": instant(offer.open_until),
        "deleted_at": instant(offer.kept_until),
    }


def etag(view: Mapping[str, Any]) -> str:
    """A strong validator. Signatures in links differ from one signer to the next and say nothing new;
    a link's end counts, so that nobody is left with a dead one."""
    told = {name: value for name, value in view.items() if name not in ("audio_url", "peaks_url")}
    return f'"{sha256(dumps(told, sort_keys=True).encode()).hexdigest()[:32]}"'


def instant(moment: datetime | None) -> str | None:
    """ISO 8601, UTC, milliseconds, `Z`."""
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _urls(job: Job, origin: str) -> dict[str, str]:
    own = f"{origin}/jobs/{job.job_id}"
    return {"self": own, "cancel": f"{own}/cancel", "audio": f"{own}/audio"}
