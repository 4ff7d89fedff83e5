"""Each loss against what is known of it without computing it."""

import math

import pytest
import torch
from torch import Tensor

from model_container.training import losses
from model_container.training.codec import Codec
from model_container.training.evaluation import plain_mix
from model_container.training.objective import deceived, undeceived

RATE = 24_000


def noise(seed: int, samples: int = 2 * RATE) -> Tensor:
    return 0.1 * torch.randn(2, samples, generator=torch.Generator().manual_seed(seed))


def tone(hertz: float, level: float = 0.5) -> Tensor:
    return level * torch.sin(2 * math.pi * hertz * torch.arange(2 * RATE) / RATE).repeat(2, 1)


def test_the_error_of_a_constant_offset_is_the_offset():
    assert losses.rms_error(noise(1) + 0.25, noise(1)).item() == pytest.approx(0.25, abs=1e-5)


def test_the_error_of_equal_sounds_is_nothing_and_has_a_gradient():
    sound = noise(1).requires_grad_()

    losses.rms_error(sound, noise(1)).backward()

    assert sound.grad is not None
    assert bool(sound.grad.isfinite().all())


@pytest.mark.parametrize("error", [losses.spectral_error, losses.mel_error])
def test_spectral_errors_hear_magnitudes_and_no_signs(error):
    assert error(noise(1), noise(1)).item() == 0
    assert error(-noise(1), noise(1)).item() == pytest.approx(0, abs=1e-5)
    assert error(noise(1), noise(2)).item() > 0.1


def test_half_the_level_is_a_half_in_convergence_and_a_log_of_two():
    loud = 100 * noise(1)  # far above what is added inside the logarithm

    assert losses.spectral_error(loud / 2, loud).item() == pytest.approx(0.5 + math.log(2), abs=1e-3)
    assert losses.mel_error(loud / 2, loud).item() == pytest.approx(math.log(4), abs=1e-3)


def test_mel_bands_cover_the_spectrum_to_eight_kilohertz():
    filters = losses.mel_filters()

    peaks = filters.argmax(dim=1) * RATE / losses.MEL_FFT

    assert filters.shape == (80, 513)
    assert bool((peaks[1:] >= peaks[:-1]).all())
    assert filters[:, int(8100 / RATE * losses.MEL_FFT) + 1 :].sum() == 0


def test_an_envelope_is_like_itself_whatever_its_level_and_unlike_another():
    pulse = noise(1) * (torch.arange(2 * RATE) // 6000 % 2)
    other = noise(2) * (torch.arange(2 * RATE) // 9000 % 3 == 0)

    assert losses.envelope_likeness(pulse, pulse, 3 * pulse).item() == pytest.approx(2, abs=1e-3)
    assert losses.envelope_likeness(pulse, other, other).item() < 1


def test_an_envelope_is_the_peak_of_each_64_milliseconds():
    sound = torch.zeros(1, 250 * losses.PART)
    sound[0, 5 * losses.PART + 7] = -0.5

    envelope = losses._envelope(sound)

    assert envelope.shape == (1, 250)
    assert envelope.nonzero().tolist() == [[0, 5]]
    assert envelope.max() == 0.5


def test_silence_is_like_nothing_and_has_a_gradient():
    silence = torch.zeros(2, 2 * RATE, requires_grad=True)

    likeness = losses.envelope_likeness(silence, noise(1), noise(2))
    likeness.backward()

    assert likeness.item() == 0
    assert silence.grad is not None
    assert bool(silence.grad.isfinite().all())


def test_a_whistle_that_comes_and_goes_stands_out_only_in_the_bands_that_are_listened_to():
    coming = (torch.arange(2 * RATE) > 1.9 * RATE).float()

    whistle, elsewhere = (losses.outliers(tone(hertz) * coming).item() for hertz in (2000, 3000))

    assert whistle > 100 * elsewhere


def test_the_plain_mix_is_the_mean_at_the_level_of_both():
    first, second = noise(1), 0.3 * noise(2)

    mix = plain_mix(first, second)

    assert torch.cosine_similarity(mix, first + second).tolist() == pytest.approx([1, 1], abs=1e-5)
    expected = ((first.square() + second.square()) / 2).mean(dim=1)
    assert torch.allclose(mix.square().mean(dim=1), expected, rtol=1e-4)


def test_a_critic_that_is_right_loses_nothing_and_a_model_that_is_seen_through_loses():
    sure = torch.tensor([[9.0], [9.0], [-9.0], [-9.0]])

    assert undeceived(sure).item() < 0.001
    assert undeceived(-sure).item() > 10
    assert deceived(sure[2:]).item() > 5


@pytest.mark.parametrize(
    ("samples", "frames"), [(384_000, 1200), (384_001, 1201), (383_999, 1200), (100, 1), (48_000, 150)]
)
def test_the_codec_has_75_frames_a_second_and_keeps_the_length(
    codec: Codec, samples: int, frames: int
) -> None:
    latents = codec.encode(torch.zeros(1, samples))

    assert latents.shape == (1, codec.dim, frames)
    assert codec.decode(latents, samples).shape == (1, samples)


def test_gradients_pass_the_frozen_decoder_and_leave_it_as_it_is(codec: Codec) -> None:
    latents = torch.randn(1, codec.dim, 20, requires_grad=True)

    codec.decode(latents, 6400).square().mean().backward()

    assert latents.grad is not None
    assert bool(latents.grad.any())
    assert all(parameter.grad is None for parameter in codec.parameters())
