"""Which model a request is for, and what is refused because of it, with the models that can."""

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from lambdas.core.choosing import Choice
from lambdas.core.errors import RequestError
from lambdas.core.models import ACE_STEP, CASCADE, CATALOGUE, MOCK, Intake, Span, offered
from lambdas.core.requests import GenerateRequest

SINGER = replace(MOCK, id="singer", duration=Span(5, 60), options={"lyrics": None, "guidance": Span(1, 9)})
FOLLOWER = replace(MOCK, id="follower", inputs=MappingProxyType({"melody": Intake(32_000, 1, 30.0)}))
MODELS = {model.id: model for model in (MOCK, SINGER, CASCADE, FOLLOWER)}
ACE = Choice({ACE_STEP.id: ACE_STEP})
NON_COMMERCIAL = "CC-BY-NC-4.0"
PART = {"job_id": "a"}


def asked(**fields: Any) -> GenerateRequest:
    return GenerateRequest.model_validate({"prompt": "rain", **fields})


def refused(choice: Choice, **fields: Any) -> tuple[list[str], str]:
    """Where the fault lies, and what is said of it."""
    with pytest.raises(RequestError) as error:
        choice.model_for(asked(**fields))
    assert error.value.code == "invalid_request"
    return [each.pointer for each in error.value.errors], error.value.detail


@pytest.mark.parametrize(
    ("fields", "model"),
    [
        ({}, "mock"),
        ({"audio": {**PART, "role": "melody"}}, "follower"),
        ({"tracks": [PART, PART], "prompt": None}, "cascade"),
        ({"model": "singer", "lyrics": "la la"}, "singer"),
    ],
)
def test_a_request_goes_to_the_model_it_names_or_to_the_first_that_takes_its_recordings(
    fields: dict[str, Any], model: str
) -> None:
    assert Choice(MODELS).model_for(asked(**fields)).id == model


@pytest.mark.parametrize(
    ("fields", "pointer", "told"),
    [
        ({"model": "gone"}, "/model", "mock, singer"),
        ({"prompt": None}, "/prompt", "required"),
        ({"model": "singer", "duration": 61}, "/duration", "5 to 60"),
        ({"model": "singer", "duration": 4.9}, "/duration", "5 to 60"),
        ({"lyrics": "la la"}, "/lyrics", "these do: singer"),
        ({"temperature": 1.0}, "/temperature", "no model of this deployment does"),
        ({"model": "singer", "guidance": 10}, "/guidance", "1 to 9"),
        ({"bpm": 30}, "/bpm", "40 to 240"),
        ({"model": "mock", "tracks": [PART, PART]}, "/tracks", "these do: cascade"),
        ({"model": "", "tracks": [PART, PART]}, "/model", "no such model"),
        ({"model": "cascade"}, "/tracks", "needs two tracks"),
        ({"model": "cascade", "prompt": None}, "/tracks", "needs two tracks"),
        ({"model": "mock", "audio": {**PART, "role": "melody"}}, "/audio/role", "these do: follower"),
        ({"audio": {**PART, "role": "reference"}}, "/audio/role", "no model of this deployment"),
        ({"audio": {**PART, "role": "melody"}, "prompt": None}, "/prompt", "required"),
        ({"tracks": [PART, PART], "duration": 17}, "/duration", "1 to 16"),
    ],
)
def test_what_a_model_cannot_do_is_refused_with_what_can(
    fields: dict[str, Any], pointer: str, told: str
) -> None:
    pointers, detail = refused(Choice(MODELS), **fields)

    assert pointers == [pointer]
    assert told in detail


@pytest.mark.parametrize(
    "option", [{"negative_prompt": "noise"}, {"temperature": 1.0}, {"top_k": 0}, {"top_p": 0.5}]
)
def test_what_has_no_effect_beside_a_recording_is_refused_beside_it_alone(option: dict[str, Any]) -> None:
    (name,) = option

    for role in ("melody", "continue"):
        assert refused(ACE, audio={**PART, "role": role}, **option)[0] == [f"/{name}"]
    assert ACE.model_for(asked(audio={**PART, "role": "reference"}, **option)) is ACE_STEP
    assert ACE.model_for(asked(**option)) is ACE_STEP


@pytest.mark.parametrize("lyrics", [None, ""])
def test_who_asks_for_singing_gives_the_words(lyrics: str | None) -> None:
    pointers, detail = refused(ACE, instrumental=False, lyrics=lyrics)

    assert (pointers, "add lyrics" in detail) == (["/lyrics"], True)
    assert ACE.model_for(asked(instrumental=False, lyrics="[Verse]\nrain")) is ACE_STEP
    assert ACE.model_for(asked(instrumental=True, lyrics=lyrics)) is ACE_STEP
    assert Choice(MODELS).model_for(asked(instrumental=False)) is MOCK


def test_a_model_plays_where_its_licence_was_accepted_and_nowhere_else() -> None:
    models = {"guarded": replace(MOCK, id="guarded", licence=NON_COMMERCIAL, commercial_use=False)}

    pointers, detail = refused(Choice(models))

    assert (pointers, NON_COMMERCIAL in detail) == (["/model"], True)
    assert Choice(models, {NON_COMMERCIAL}).model_for(asked()).id == "guarded"


def test_musicgen_takes_how_to_sample_and_no_words_to_sing() -> None:
    choice, small = Choice(CATALOGUE, {NON_COMMERCIAL}), {"model": "musicgen-small"}

    model = choice.model_for(asked(**small, duration=300, temperature=0.9, top_k=100, guidance=4.5))

    assert model.id == "musicgen-small"
    for option in ({"lyrics": "la"}, {"bpm": 90}, {"negative_prompt": "noise"}, {"guidance": 25}):
        assert refused(choice, **small, **option)[0] == [f"/{next(iter(option))}"]


def test_a_mock_of_a_model_blends_and_follows_nothing() -> None:
    models = offered({"mock": ("mock",), "cascade": ("mock",), "musicgen-melody": ("mock",)})

    assert set(models["cascade"].inputs) == {"track"}
    assert not models["musicgen-melody"].inputs
    assert "melody" in CATALOGUE["musicgen-melody"].inputs
