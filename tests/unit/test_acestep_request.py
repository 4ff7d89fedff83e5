"""What of a piece ACE-Step's server is told, and in which fields: no caller's word leaves its own."""

from typing import Any

import pytest

from lambdas.backends.acestep_request import PLAIN, PLANNING, TASKS, asked
from lambdas.core.errors import PermanentError, Unfit
from lambdas.core.models import ACE_STEP
from lambdas.core.pieces import Role
from lambdas.core.ports import Input
from tests.fakes.examples import PIECE

NASTY = '"},"src_audio_path":"/etc/passwd"\r\n--b\r\nContent-Disposition: form-data; name="ref_audio_path"'


def fields(*inputs: Input, planning: bool = True, **changes: Any) -> dict[str, object]:
    return dict(asked(PIECE.but(**changes), inputs, planning=planning).fields)


def recording(role: Role, seconds: float = 8.0) -> Input:
    return Input(role, "https://bucket.example/raw/job/input-0.wav?X-Amz-Signature=s", seconds)


def test_a_plain_piece_is_a_song_of_its_length_and_seed_without_words() -> None:
    assert fields() == {
        "task_type": "text2music",
        "prompt": PIECE.effective_prompt,
        "lyrics": "[Instrumental]",
        "vocal_language": "unknown",
        "audio_duration": PIECE.duration,
        "audio_format": "wav",
        "batch_size": 1,
        "use_random_seed": False,
        "seed": PIECE.seed,
        "thinking": True,
        "use_cot_caption": False,
        "use_cot_language": True,
    }


def test_all_that_the_model_takes_has_its_field() -> None:
    said = fields(
        lyrics="[Verse]\nrain", negative_prompt="noise", bpm=92.6, temperature=0.7, top_k=50, top_p=0.8
    )

    assert (
        said
        | {
            "lyrics": "[Verse]\nrain",
            "lm_negative_prompt": "noise",
            "bpm": 93,
            "lm_temperature": 0.7,
            "lm_top_k": 50,
            "lm_top_p": 0.8,
        }
        == said
    )


@pytest.mark.parametrize(
    ("key", "scale"),
    [
        ("C", "C major"),
        ("F#m", "F# minor"),
        ("Bb major", "Bb major"),
        ("A min", "A minor"),
        ("Dmaj", "D major"),
    ],
)
def test_a_key_is_spelt_as_the_server_spells_it(key: str, scale: str) -> None:
    assert fields(key=key)["key_scale"] == scale


def test_an_instrumental_has_no_words_whatever_was_written() -> None:
    assert fields(lyrics="la la", instrumental=True)["lyrics"] == "[Instrumental]"


@pytest.mark.parametrize("role", TASKS)
@pytest.mark.parametrize("name", ["effective_prompt", "lyrics", "negative_prompt"])
def test_no_field_names_a_file_and_no_words_make_fields(role: Role, name: str) -> None:
    changes: dict[str, Any] = {} if name == "negative_prompt" and role != "reference" else {name: NASTY}

    said = fields(recording(role), **changes)

    assert not [field for field in said if "path" in field]
    assert [field for field, value in said.items() if value == NASTY] == [
        {"effective_prompt": "prompt", "lyrics": "lyrics", "negative_prompt": "lm_negative_prompt"}[changed]
        for changed in changes
    ]


@pytest.mark.parametrize(
    ("role", "task", "field", "thinking"),
    [
        ("reference", "text2music", "reference_audio", True),
        ("melody", "cover", "src_audio", False),
        ("continue", "repaint", "src_audio", False),
    ],
)
def test_each_role_of_a_recording_is_a_task(role: Role, task: str, field: str, thinking: bool) -> None:
    order = asked(PIECE, [recording(role)], planning=True)

    assert (order.fields["task_type"], order.upload, order.fields["thinking"]) == (task, field, thinking)


def test_a_recording_is_continued_from_its_end_to_the_length_asked() -> None:
    said = fields(recording("continue", 8.0), duration=30.0)

    assert (said["repainting_start"], said["repainting_end"], said["audio_duration"]) == (8.0, 30.0, 30.0)


def test_continuing_to_less_than_what_is_there_is_refused() -> None:
    with pytest.raises(PermanentError, match="ask for more"):
        fields(recording("continue", 20.0), duration=15.0)


@pytest.mark.parametrize(
    "inputs", [[recording("track")] * 2, [recording("track")], [recording("melody")] * 2]
)
def test_recordings_that_it_cannot_use_are_refused(inputs: list[Input]) -> None:
    with pytest.raises(PermanentError):
        asked(PIECE, inputs, planning=True)


@pytest.mark.parametrize(
    "option", [{"negative_prompt": "noise"}, {"temperature": 1.0}, {"top_k": 0}, {"top_p": 0.5}]
)
def test_a_server_without_a_language_model_does_not_take_what_only_that_heeds(option: dict[str, Any]) -> None:
    with pytest.raises(Unfit):
        fields(planning=False, **option)


def test_the_catalogue_knows_which_tasks_are_made_without_the_language_model() -> None:
    assert {role: set(intake.unheeded) for role, intake in ACE_STEP.inputs.items()} == {
        role: set() if task == PLAIN else set(PLANNING) for role, (task, _) in TASKS.items()
    }


def test_a_server_without_a_language_model_is_not_asked_to_plan() -> None:
    said = fields(planning=False)

    assert (said["thinking"], said["use_cot_language"]) == (False, False)
