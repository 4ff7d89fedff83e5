"""What the owner of a blend reads from start to end: the real model's stages through the whole flow."""

import pytest

from lambdas.backends.wire import State, meaning
from lambdas.core.jobs import Job, Status
from model_container.server import contract
from model_container.tracks.making import Stage, make
from model_container.tracks.model import TrackModel
from tests.engine.tracks.conftest import noise
from tests.engine.tracks.serving import RATE
from tests.fakes.stories import STORIES
from tests.fakes.world import World

TABLE = [
    (Status.QUEUED, 0, "Upload received, queued for processing..."),
    (Status.PROCESSING, 10, "Converting audio to WAV..."),
    (Status.PROCESSING, 30, "Extracting audio segments..."),
    (Status.PROCESSING, 50, "Encoding with EnCodec..."),
    (Status.PROCESSING, 70, "Generating music..."),
    (Status.PROCESSING, 85, "Decoding audio..."),
    (Status.PROCESSING, 95, "Saving output..."),
    (Status.COMPLETED, 100, "Music generation complete!"),
]
Told = list[tuple[Status, int, str]]


@pytest.fixture
def said(model: TrackModel) -> list[State]:
    """What the container says of a clip, were it asked at each of its stages."""
    stages: list[Stage] = []
    made = make(model, noise(RATE), stages.append, lambda: None)
    states = [contract.State(id="job-1-1", status="running", **vars(stage)) for stage in stages]
    end = contract.State(id="job-1-1", status="finished", message="Finished", report=made.report)
    return [State.model_validate(state.model_dump()) for state in (*states, end)]


def follow(world: World, monkeypatch: pytest.MonkeyPatch) -> Told:
    """Play the story of two tracks; each different thing that its job ever told, in order."""
    told: Told = []
    write = world.jobs._write

    def heard(job: Job) -> None:
        if (now := (job.status, job.progress, job.message)) not in told[-1:]:
            told.append(now)
        write(job)

    monkeypatch.setattr(world.jobs, "_write", heard)
    STORIES["two tracks"].play(world)
    return told


def test_a_blend_tells_the_published_table_word_for_word(
    said: list[State], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = STORIES["two tracks"].world()
    world.hosts["first"].answers = [meaning(state) for state in said]

    assert follow(world, monkeypatch) == TABLE


def test_a_blend_that_waits_and_is_tried_again_never_goes_back(
    said: list[State], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = STORIES["two tracks"].world()
    waits = State(id="x", status="queued", message="Waiting for a turn", queue_position=1)
    fails = said[1].model_copy(update={"status": "failed"})
    heard = [waits, *said[:2], fails, *said]
    world.hosts["first"].answers = [meaning(state) for state in heard]

    told = follow(world, monkeypatch)

    assert [progress for _, progress, _ in told] == sorted(progress for _, progress, _ in told)
    assert (Status.PROCESSING, 30, "Waiting for a turn (1 in the queue)") in told
    assert (Status.PROCESSING, 70, "Trying again after a temporary fault") in told
    assert set(TABLE) <= set(told)


def test_a_blend_that_fails_stays_where_it_was_and_says_why(
    said: list[State], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = STORIES["two tracks"].world()
    error = {"code": "unusable", "detail": "The tracks {are} silent.", "transient": False}
    fails = State.model_validate(said[1].model_dump() | {"status": "failed", "error": error})
    world.hosts["first"].answers = [meaning(state) for state in (*said[:2], fails)]

    told = follow(world, monkeypatch)

    assert told == [*TABLE[:5], (Status.FAILED, 70, "Error: The tracks {are} silent.")]
