"""Jobs as they may be, for tests that need one and care about one or two of its fields."""

from datetime import UTC, datetime, timedelta

from lambdas.core.jobs import GRACE, Job, Status
from lambdas.core.pieces import Audio, File, Piece, Webhook
from lambdas.core.ports import Work
from lambdas.core.recordings import Format
from tests.fakes.hosts import MEASUREMENT
from tests.fakes.stores import MemoryObjects

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
PIECE = Piece(
    model="mock",
    model_revision="1",
    prompt="rain on a tin roof",
    effective_prompt="folk music: rain on a tin roof",
    genre="folk",
    duration=10.0,
    seed=42,
)
AUDIO = Audio(
    files={format: File(bytes=4, sha256="ab" * 32, signed=False) for format in Format},
    measurement=MEASUREMENT,
)
HOOK = Webhook(url="https://example.com/hook?to=me", origin="https://cadenza.example/v1")


def a_work(objects: MemoryObjects, attempt: int = 1, piece: Piece = PIECE) -> Work:
    """A piece of work whose addresses are good for an hour."""
    key = f"raw/job-1/{attempt}"
    return Work(
        id=f"job-1-{attempt}",
        attempt=attempt,
        piece=piece,
        output_url=objects.upload(key, 3600),
        progress_url=objects.upload(f"{key}.json", 3600),
        progress_link=objects.download(f"{key}.json", 3600),
    )


def a_job(job_id: str = "job-1", **changes: object) -> Job:
    """A job that was queued this very moment."""
    queued = Job(
        job_id=job_id,
        owner="anonymous",
        piece=PIECE,
        created_at=NOW,
        deadline_at=NOW + timedelta(hours=1),
        expires_at=NOW + timedelta(days=1),
        retention_days=1,
        due_at=NOW + GRACE,
        mock=True,
        licence="CC0-1.0",
    )
    return queued.but(**changes)


def a_finished_job(job_id: str = "job-1", **changes: object) -> Job:
    """A job that is completed and settled."""
    done = a_job(job_id).begun("first", NOW).completed(AUDIO, 0.5, 1.5, NOW).settled()
    assert done.status is Status.COMPLETED
    return done.but(**changes)
