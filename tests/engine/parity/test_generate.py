"""Whole pieces against transformers' generate: the same tokens, the same sound."""

from typing import Any

import numpy as np
import pytest
import torch

from model_container.engine.delay import DelayedCodes
from model_container.engine.generate import Window, generate
from model_container.engine.model import Model
from model_container.engine.sampling import Sampling, exponential
from tests.engine import tiny
from tests.engine.conftest import Folders, either_decoder
from tests.engine.parity.conftest import References

PROMPT = "a slow waltz for two violins"


def tokens(prompt: str) -> dict[str, Any]:
    ids = torch.tensor([tiny.tokenizer().encode(prompt).ids])
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def codes_of(reference: Any, frames: int, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """transformers' codes [codebooks, frames] and sound [channels, samples]."""
    heard = []
    decode = reference.audio_encoder.decode

    def listening(codes: Any, **rest: Any) -> Any:
        heard.append(codes[0, 0].numpy())
        return decode(codes, **rest)

    reference.audio_encoder.decode = listening
    try:
        with torch.no_grad():
            sound = reference.generate(**tokens(PROMPT), max_new_tokens=frames + 3, **options)
    finally:
        del reference.audio_encoder.decode
    codes = np.stack(heard, axis=1).reshape(-1, heard[0].shape[1])
    return codes, sound[0].numpy()


@either_decoder
@pytest.mark.parametrize("guidance", [1.0, 3.0])
@pytest.mark.parametrize("kind", tiny.KINDS)
def test_the_likeliest_tokens_and_their_sound_are_those_of_transformers(
    kind: str, guidance: float, decoder: str, references: References, packs: Folders
) -> None:
    model = Model.load(packs(kind), decoder=decoder)
    window = Window(
        0, model.conditions(PROMPT), DelayedCodes(model.config.decoder, 50), Sampling(temperature=0), guidance
    )

    expected, sound = codes_of(references(kind), 50, do_sample=False, guidance_scale=guidance)
    codes = generate(model, window)

    assert len(np.unique(expected)) > 10
    np.testing.assert_array_equal(codes, expected)
    np.testing.assert_allclose(model.codec.decode(codes), sound, atol=1e-4)


@pytest.mark.parametrize(
    "how", [{"top_k": 7}, {"top_k": 0, "top_p": 0.6}, {"temperature": 1.7, "top_k": 20, "top_p": 0.9}]
)
@pytest.mark.parametrize("kind", tiny.KINDS)
@either_decoder
def test_sampled_tokens_are_those_of_transformers_for_the_same_noise(
    decoder: str,
    kind: str,
    how: dict[str, Any],
    references: References,
    packs: Folders,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sampling = Sampling(**{"temperature": 1.0, "top_p": 1.0, **how}, seed=11)
    model = Model.load(packs(kind), decoder=decoder)
    window = Window(0, model.conditions(PROMPT), DelayedCodes(model.config.decoder, 40), sampling)
    step = 0

    def race(probabilities: Any, num_samples: int) -> Any:
        nonlocal step
        step += 1
        every = np.arange(probabilities.shape[1])
        noise = np.stack([exponential(11, step, k, every) for k in range(len(probabilities))])
        return (probabilities / torch.tensor(noise)).argmax(dim=1, keepdim=True)

    monkeypatch.setattr(torch, "multinomial", race)
    expected, _ = codes_of(references(kind), 40, do_sample=True, guidance_scale=3.0, **how)
    codes = generate(model, window)

    np.testing.assert_array_equal(codes, expected)


@either_decoder
@pytest.mark.parametrize("kind", ["text", "stereo"])
def test_a_continuation_is_that_of_transformers(
    kind: str, decoder: str, references: References, packs: Folders
) -> None:
    model = Model.load(packs(kind), decoder=decoder)
    recording = (
        np.random.default_rng(3).standard_normal((model.config.decoder.channels, 200 * 640), np.float32) * 0.3
    )

    expected, sound = codes_of(
        references(kind), 30, do_sample=False, guidance_scale=3.0, input_values=torch.tensor(recording[None])
    )
    prompt = model.codec.encode(recording)
    delayed = DelayedCodes(model.config.decoder, 230, prompt)
    codes = generate(model, Window(0, model.conditions(PROMPT), delayed, Sampling(temperature=0)))

    np.testing.assert_array_equal(codes, expected)
    np.testing.assert_allclose(model.codec.decode(codes), sound, atol=1e-4)


@either_decoder
@pytest.mark.parametrize("kind", ["melody", "stereo-melody"])
def test_a_melody_is_followed_as_transformers_follows_it(
    kind: str, decoder: str, references: References, packs: Folders
) -> None:
    model = Model.load(packs(kind), decoder=decoder)
    melody = np.eye(12, dtype=np.float32)[np.random.default_rng(5).integers(0, 12, 7)]

    expected, _ = codes_of(
        references(kind), 40, do_sample=False, guidance_scale=3.0, input_features=torch.tensor(melody[None])
    )
    delayed = DelayedCodes(model.config.decoder, 40)
    codes = generate(model, Window(0, model.conditions(PROMPT, melody), delayed, Sampling(temperature=0)))

    np.testing.assert_array_equal(codes, expected)
