"""A job's recordings on their way to its model: prepared once, before a host is asked, or a clear failure."""

from lambdas.core.jobs import Status
from lambdas.core.pieces import Source
from tests.fakes.examples import PIECE, a_job
from tests.fakes.world import World

SONGS = {"uploads/me/one": b"first song", "uploads/me/two": b"second song"}
TRACKS = tuple(Source(upload_id=key[-3:], key=key, start_time=4.0) for key in SONGS)


def world_with_a_blend(**files: bytes) -> World:
    world = World()
    world.objects.files.update({f"uploads/me/{name}": data for name, data in files.items()})
    piece = PIECE.but(model="cascade", tracks=TRACKS)
    world.jobs.insert(a_job(piece=piece, created_at=world.time.now, due_at=world.time.now))
    return world


def test_a_host_gets_links_to_what_was_prepared():
    world = world_with_a_blend(one=b"first song", two=b"second song")
    heard: list[tuple[str, bytes | None]] = []
    host = world.hosts["first"]
    host.listen = lambda given: heard.append((given.role, world.objects.fetch(given.url)))

    world.conductor.step("job-1")
    assert host.starts.total() == 0
    assert (world.job().progress, world.job().message) == (30, "Extracting audio segments...")

    world.conductor.step("job-1")
    assert heard == [("track", b"ready:first song"), ("track", b"ready:second song")]


def test_what_was_prepared_is_cleared_away_and_the_uploads_stay():
    world = world_with_a_blend(one=b"first song", two=b"second song")

    world.conductor.step("job-1")
    world.run()

    assert world.job().status is Status.COMPLETED
    assert not [key for key in world.objects.files if key.startswith("raw/")]
    assert set(SONGS) <= set(world.objects.files)


def test_a_recording_that_cannot_be_used_fails_the_job_and_says_which():
    world = world_with_a_blend(one=b"first song", two=b"noise")

    world.conductor.step("job-1")

    fault = world.job().fault
    assert fault is not None
    assert (fault.code, fault.detail) == (
        "input_unusable",
        "Upload two cannot be used: This is not a recording.",
    )
    assert world.hosts["first"].starts.total() == 0


def test_a_recording_that_is_gone_fails_the_job_and_says_which():
    world = world_with_a_blend(two=b"second song")

    world.conductor.step("job-1")

    fault = world.job().fault
    assert fault is not None
    assert fault.detail == "Upload one is no longer there."
