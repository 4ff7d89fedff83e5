"""The engine's parts against transformers': states, logits, sound, chroma, each to its tolerance."""

from typing import Any

import numpy as np
import pytest
import torch
from transformers.audio_utils import chroma_filter_bank

from model_container.engine import melody
from model_container.engine.delay import DelayedCodes
from model_container.engine.encodec import CodecStream
from model_container.engine.generate import Window, prefill
from model_container.engine.model import Model
from model_container.engine.sampling import Sampling
from tests.engine import tiny
from tests.engine.conftest import Folders, either_decoder
from tests.engine.parity.conftest import References


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


def logits_of_both(reference: Any, model: Model, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """transformers' and our guided logits [columns, codebooks, vocabulary] for the same given tokens."""
    config = model.config.decoder
    codes = np.random.default_rng(1).integers(0, config.vocabulary, (config.codebooks, frames))
    window = Window(0, model.conditions("brass band"), DelayedCodes(config, frames + 1, codes), Sampling())
    columns = window.codes.columns(0, frames + 1)
    text = torch.tensor(np.stack([window.conditions.text, 0 * window.conditions.text]))
    mask = torch.tensor([[1], [0]]).expand(2, text.shape[1])
    with torch.no_grad():
        ids = torch.tensor(columns.T).repeat(2, 1)
        both = reference.decoder(ids, encoder_hidden_states=text, encoder_attention_mask=mask).logits
    conditional, unconditional = both.reshape(2, config.codebooks, frames + 1, -1).numpy().swapaxes(1, 2)
    for _ in prefill(model, Window(0, window.conditions, DelayedCodes(config, frames), Sampling())):
        pass
    ours = []
    for column in range(frames + 1):
        at = np.array([column])
        hidden = model.embedding.tokens(columns[at], at)
        ours.append(model.decoder.step(np.array([0]), hidden, at, np.array([3.0], np.float32))[0])
    return unconditional + (conditional - unconditional) * 3, np.stack(ours)


@either_decoder
@pytest.mark.parametrize("kind", ["text", "stereo"])
def test_logits_in_full_precision_are_those_of_transformers(
    kind: str, decoder: str, references: References, packs: Folders
) -> None:
    expected, logits = logits_of_both(references(kind), Model.load(packs(kind), decoder=decoder), 60)

    np.testing.assert_allclose(logits, expected, atol=1e-4)


@either_decoder
@pytest.mark.parametrize("kind", ["text", "stereo"])
def test_logits_with_8_bit_weights_are_within_three_percent(
    kind: str, decoder: str, references: References, packs: Folders
) -> None:
    expected, logits = logits_of_both(references(kind), Model.load(packs(kind, "int8"), decoder=decoder), 60)

    error = np.sqrt(np.mean((logits - expected) ** 2)) / expected.std()
    assert 1e-4 < error < 0.03


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
