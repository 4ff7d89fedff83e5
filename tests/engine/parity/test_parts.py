"""The engine's parts against transformers': states, logits, sound, chroma, each to its tolerance."""

from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from transformers.audio_utils import chroma_filter_bank

from model_container.engine import melody
from model_container.engine.delay import DelayedCodes
from model_container.engine.encodec import CodecStream
from model_container.engine.generate import Window, prefill
from model_container.engine.model import Conditions, Model
from model_container.engine.sampling import Sampling
from tests.engine import tiny
from tests.engine.conftest import NATIVE, Folders, either_decoder
from tests.engine.parity.conftest import References

PROMPT = "brass band"
MELODY_KINDS = ("melody", "stereo-melody")
NOTES = np.eye(tiny.BINS, dtype=np.float32)[np.random.default_rng(5).integers(0, tiny.BINS, 7)]


@pytest.mark.parametrize("prompt", ["", "a", "calm piano", "many words about one song " * 12])
def test_a_text_has_the_states_that_transformers_gives_it(
    prompt: str, references: References, packs: Folders
) -> None:
    reference = references("text")
    tokens = torch.tensor([tiny.tokenizer().encode(prompt).ids])

    with torch.no_grad():
        states = reference.enc_to_dec_proj(reference.text_encoder(tokens).last_hidden_state)
    conditions = Model.load(packs("text")).conditions(prompt)

    np.testing.assert_allclose(conditions.text, states[0].numpy(), atol=1e-4)


@pytest.mark.parametrize("kind", MELODY_KINDS)
@pytest.mark.parametrize("notes", [None, NOTES])
def test_a_melody_and_a_text_have_the_states_that_transformers_gives_them(
    kind: str, notes: np.ndarray | None, references: References, packs: Folders
) -> None:
    ids = torch.tensor([tiny.tokenizer().encode(PROMPT).ids])
    given = {} if notes is None else {"input_features": torch.tensor(notes[None])}
    model = Model.load(packs(kind))

    with torch.no_grad():
        start = torch.full((model.config.decoder.codebooks, 1), model.config.decoder.pad)
        expected = references(kind)(ids, decoder_input_ids=start, **given).encoder_hidden_states
    prefix = model.conditions(PROMPT, notes).prefix

    assert prefix is not None
    np.testing.assert_allclose(prefix[0], expected[0].numpy(), atol=1e-4)


def logits_of_both(reference: Any, model: Model, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """transformers' and our guided logits [columns, codebooks, vocabulary] for the same given tokens."""
    config = model.config.decoder
    codes = np.random.default_rng(1).integers(0, config.vocabulary, (config.codebooks, frames))
    conditions = model.conditions(PROMPT, NOTES if config.melody else None)
    window = Window(0, conditions, DelayedCodes(config, frames), Sampling())
    columns = DelayedCodes(config, frames + 1, codes).columns(0, frames + 1)
    expected = guided_by_transformers(reference, conditions, columns)
    for _ in prefill(model, window):
        pass
    ours: list[np.ndarray] = []
    for column in columns:
        at = np.array([window.offset + len(ours)])
        hidden = model.embedding.tokens(column[None], at)
        ours.append(model.decoder.step(np.array([0]), hidden, at, np.array([3.0], np.float32))[0])
    return expected, np.stack(ours)


def guided_by_transformers(reference: Any, conditions: Conditions, columns: np.ndarray) -> np.ndarray:
    """columns [n, codebooks] → logits [n, codebooks, vocabulary] in fp32."""
    if conditions.prefix is None:
        given = np.stack([conditions.text, 0 * conditions.text])
        mask = {"encoder_attention_mask": torch.tensor([[1], [0]]).expand(2, given.shape[1])}
    else:
        given, mask = conditions.prefix, {}
    states = torch.tensor(given).to(reference.dtype)
    with torch.no_grad():
        ids = torch.tensor(columns.T).repeat(2, 1)
        both = reference.decoder(ids, encoder_hidden_states=states, **mask).logits[:, -len(columns) :]
    conditional, unconditional = (
        both.float().numpy().reshape(2, columns.shape[1], len(columns), -1).swapaxes(1, 2)
    )
    guided: np.ndarray = unconditional + (conditional - unconditional) * 3
    return guided


def relative_error(logits: np.ndarray, expected: np.ndarray) -> float:
    return float(np.sqrt(np.mean((logits - expected) ** 2)) / expected.std())


@either_decoder
@pytest.mark.parametrize("kind", tiny.KINDS)
def test_logits_in_full_precision_are_those_of_transformers(
    kind: str, decoder: str, references: References, packs: Folders
) -> None:
    expected, logits = logits_of_both(references(kind), Model.load(packs(kind), decoder=decoder), 60)

    assert expected.std() > 1
    np.testing.assert_allclose(logits, expected, atol=1e-4)


@pytest.mark.parametrize("decoder", [NATIVE])
@pytest.mark.parametrize("kind", tiny.KINDS)
def test_logits_with_bf16_weights_are_no_further_off_than_those_of_transformers_in_bf16(
    kind: str, decoder: str, references: References, packs: Folders
) -> None:
    model = Model.load(packs(kind, "bf16"), decoder=decoder)
    half = deepcopy(references(kind)).to(torch.bfloat16)

    expected, logits = logits_of_both(references(kind), model, 60)
    theirs, _ = logits_of_both(half, model, 60)

    assert 1e-4 < relative_error(logits, expected) < 0.015
    assert relative_error(logits, expected) < relative_error(theirs, expected)


@either_decoder
@pytest.mark.parametrize("kind", tiny.KINDS)
def test_logits_with_8_bit_weights_are_within_a_few_percent(
    kind: str, decoder: str, references: References, packs: Folders
) -> None:
    expected, logits = logits_of_both(references(kind), Model.load(packs(kind, "int8"), decoder=decoder), 60)

    # The error is as large with a melody; the logits, which both rows' prefixes make more alike, are smaller.
    assert 1e-4 < relative_error(logits, expected) < (0.04 if "melody" in kind else 0.03)


@pytest.mark.parametrize("frames", [4, 9, 55, 108, 142, 333])
@pytest.mark.parametrize("kind", ["text", "stereo"])
def test_codes_sound_as_in_transformers_at_once_and_as_a_stream(
    kind: str, frames: int, references: References, packs: Folders
) -> None:
    codec = Model.load(packs(kind)).codec
    codes = np.random.default_rng(frames).integers(0, tiny.VOCABULARY, (tiny.BOOKS * codec.channels, frames))

    with torch.no_grad():
        sides = [torch.tensor(codes[None, None, side :: codec.channels]) for side in range(codec.channels)]
        encoder = references(kind).audio_encoder
        expected = np.concatenate([encoder.decode(side, [None]).audio_values[0].numpy() for side in sides])
    stream = CodecStream(codec)
    pieces = [stream.push(codes[:, start : start + 13]) for start in range(0, frames, 13)]

    assert expected.std() > 0.01
    np.testing.assert_allclose(codec.decode(codes), expected, atol=1e-4)
    np.testing.assert_allclose(np.concatenate([*pieces, stream.finish()], axis=1), expected, atol=1e-4)


@pytest.mark.parametrize("frames", [4, 99, 100, 101, 230])
def test_sound_has_the_codes_that_transformers_gives_it(
    frames: int, references: References, packs: Folders
) -> None:
    model = Model.load(packs("text"))
    sound = np.random.default_rng(frames).standard_normal((1, frames * 640), np.float32)

    with torch.no_grad():
        expected = (
            references("text").audio_encoder.encode(torch.tensor(sound[None])).audio_codes[0, 0].numpy()
        )

    assert len(np.unique(expected)) > 3
    np.testing.assert_array_equal(model.codec.encode(sound), expected)


@pytest.mark.parametrize("seconds", [0.3, 2.0])
def test_a_melody_has_the_chroma_that_transformers_gives_it(seconds: float) -> None:
    rng, rate = np.random.default_rng(2), 32000
    time = np.arange(int(seconds * rate)) / rate
    pitch = np.array([220.0, 277.2, 392.0, 493.9])[(2 * time).astype(int)]
    sound = np.sin(2 * np.pi * pitch * time)
    sound = (sound + 0.1 * rng.standard_normal(len(time))).astype(np.float32)

    filters = chroma_filter_bank(num_frequency_bins=16384, num_chroma=12, sampling_rate=rate)
    missing = max(16384 - len(sound), 0)
    padded = torch.nn.functional.pad(torch.tensor(sound), (missing // 2, missing - missing // 2))
    spectrum = (
        torch.stft(padded, 16384, 4096, window=torch.hann_window(16384), return_complex=True).abs() ** 2
    )
    expected = (filters @ spectrum.numpy()).argmax(axis=0)

    notes = melody.chroma(sound, rate)

    assert seconds < 1 or len(np.unique(expected)) == 4
    np.testing.assert_array_equal(notes.argmax(axis=1), expected)
    np.testing.assert_array_equal(notes.sum(axis=1), 1)
