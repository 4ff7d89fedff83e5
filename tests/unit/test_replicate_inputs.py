"""A piece in the words of Replicate's MusicGen: every option, every recording, and what it does not make."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from lambdas.core.errors import PermanentError, Unfit
from lambdas.core.ports import Finished, Input, Work
from tests.fakes.examples import PIECE
from tests.fakes.replicate import VERSION
from tests.unit.replicate_site import LINK, SONG, WORK, Site, a_site


@pytest.fixture
def site() -> Iterator[Site]:
    with a_site() as running:
        yield running


def work(role: str, seconds: float = 8.0, model: str = "musicgen-melody", duration: float = 20.0) -> Work:
    piece = PIECE.but(model=model, duration=duration)
    return replace(WORK, piece=piece, inputs=(Input(role, LINK, seconds),))  # type: ignore[arg-type]


def test_a_plain_piece_is_asked_for_with_a_seed_of_ours_and_the_models_defaults(site: Site) -> None:
    site.backend.start(WORK)

    assert site.asked == {
        "model_version": "stereo-large",
        "prompt": PIECE.effective_prompt,
        "duration": 10,
        "seed": 42,
        "output_format": "wav",
        "normalization_strategy": "peak",
    }
    assert site.latest.asked["version"] == VERSION
    assert "webhook" not in site.latest.asked


def test_options_take_the_names_and_types_that_the_model_has(site: Site) -> None:
    site.backend.start(
        replace(WORK, piece=SONG.but(temperature=0.9, top_k=100, top_p=0.5, guidance=4.6, duration=7.2))
    )

    assert (
        site.asked
        | {
            "temperature": 0.9,
            "top_k": 100,
            "top_p": 0.5,
            "classifier_free_guidance": 5,
            "duration": 8,
        }
        == site.asked
    )


def test_seed_zero_stays_a_seed(site: Site) -> None:
    """There, 0 means: draw one."""
    site.backend.start(replace(WORK, piece=SONG.but(seed=0)))

    assert site.asked["seed"] == 2**32 - 1


@pytest.mark.parametrize(
    ("model", "edition"),
    [
        ("musicgen-small", "large"),
        ("musicgen-medium", "large"),
        ("musicgen-large", "large"),
        ("musicgen-melody", "melody-large"),
        ("musicgen-melody-large", "melody-large"),
        ("musicgen-stereo-small", "stereo-large"),
        ("musicgen-stereo-large", "stereo-large"),
        ("musicgen-stereo-melody", "stereo-melody-large"),
        ("musicgen-stereo-melody-large", "stereo-melody-large"),
    ],
)
def test_a_model_is_made_by_the_large_one_of_its_kind_and_the_job_says_so(
    site: Site, model: str, edition: str
) -> None:
    state = site.ended(replace(WORK, piece=SONG.but(model=model)))

    assert site.asked["model_version"] == edition
    assert isinstance(state, Finished)
    assert state.revision == f"meta/musicgen@671ac645 {edition}"


def test_a_melody_is_an_input_that_is_not_continued(site: Site) -> None:
    state = site.ended(work("melody"))

    assert site.asked["input_audio"] == LINK
    assert "continuation" not in site.asked
    assert isinstance(state, Finished)


def test_a_beginning_is_part_of_the_duration(site: Site) -> None:
    site.replicate.recordings[LINK] = 8.0

    state = site.ended(work("continue", model="musicgen-small"))

    assert (site.asked["input_audio"], site.asked["continuation"]) == (LINK, True)
    assert site.asked["duration"] == 20
    assert isinstance(state, Finished)


def test_a_beginning_that_leaves_nothing_to_make_is_turned_down_before_it_costs(site: Site) -> None:
    with pytest.raises(PermanentError) as caught:
        site.backend.start(work("continue", seconds=20.0))

    assert caught.value.code == "nothing_to_continue"
    assert site.replicate.seen.total() == 0


@pytest.mark.parametrize(
    "asked",
    [
        work("reference"),
        work("track"),
        work("melody", model="musicgen-stereo-large"),
        replace(work("melody"), inputs=work("melody").inputs * 2),
        replace(WORK, piece=SONG.but(model="ace-step-1.5")),
        replace(WORK, piece=SONG.but(duration=30.5)),
    ],
)
def test_what_it_does_not_make_is_for_another_host(site: Site, asked: Work) -> None:
    with pytest.raises(Unfit):
        site.backend.start(asked)

    assert site.replicate.seen.total() == 0
