"""What the blend is measured by: waveforms against the two tracks, level envelopes, and tones that stand out.

Every function takes sound [B, N] at 24 kHz and returns a scalar [], differentiable in its first argument.
"""

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from model_container.training.songs import RATE

# FFT and hop, in samples; the window is the FFT's length.
RESOLUTIONS = ((512, 128), (1024, 256), (2048, 512))
MEL_FFT, MEL_HOP, MELS, MEL_TOP = 1024, 256, 80, 8000.0
PART = 1536  # samples of an envelope's step: 64 ms, 250 of them in 16 s
OUTLIER_FFT, OUTLIER_HOP = 2048, 512
OUTLIER_BANDS = ((1800.0, 2200.0), (3800.0, 4200.0), (5800.0, 6200.0))  # Hz
OUTLIER_SHARE = 0.9  # frames below this quantile are no outliers
TINY = 1e-5


def rms_error(sound: Tensor, reference: Tensor) -> Tensor:
    """The root of the mean squared difference; what is added keeps its gradient finite at zero."""
    return ((sound - reference).square().mean() + 1e-12).sqrt()


def spectral_error(sound: Tensor, reference: Tensor) -> Tensor:
    """Spectral convergence and log magnitudes at three resolutions (Yamamoto 2020, arXiv:1910.11480)."""
    errors = []
    for fft, hop in RESOLUTIONS:
        ours, theirs = (_magnitudes(each, fft, hop) for each in (sound, reference))
        convergence = torch.linalg.vector_norm(ours - theirs) / (torch.linalg.vector_norm(theirs) + 1e-6)
        errors.append(convergence + functional.l1_loss((ours + TINY).log(), (theirs + TINY).log()))
    return torch.stack(errors).mean()


def mel_error(sound: Tensor, reference: Tensor) -> Tensor:
    """The mean difference of log mel power: 80 bands up to 8 kHz."""
    return functional.l1_loss(_log_mel(sound), _log_mel(reference))


def envelope_likeness(sound: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """r² of its level with either track's, added: 0 to 2. What is wanted is a rhythm of its own."""
    ours = _envelope(sound)
    total = sum(_correlation(ours, _envelope(each)).square() for each in (first, second))
    return torch.nan_to_num(torch.as_tensor(total).mean(), nan=0.0)


def outliers(sound: Tensor) -> Tensor:
    """How far the loudest tenth of the frames stands out, in the bands where decoders whistle."""
    magnitudes = _magnitudes(sound, OUTLIER_FFT, OUTLIER_HOP)
    return torch.stack([_outliers(magnitudes, *band) for band in OUTLIER_BANDS]).mean()


def _outliers(magnitudes: Tensor, low: float, high: float) -> Tensor:
    hertz = RATE / OUTLIER_FFT
    level = magnitudes[:, math.ceil(low / hertz) : math.floor(high / hertz) + 1].mean(dim=1)
    loud = level[level > torch.quantile(level.detach(), OUTLIER_SHARE)]
    return (loud - level.mean()).square().mean() if loud.numel() else level.new_zeros(())


def _magnitudes(sound: Tensor, fft: int, hop: int) -> Tensor:
    """[B, N] → [B, fft / 2 + 1, frames]."""
    window = torch.hann_window(fft, device=sound.device)
    return torch.stft(sound, fft, hop, fft, window, return_complex=True).abs()


def _log_mel(sound: Tensor) -> Tensor:
    power = _magnitudes(sound, MEL_FFT, MEL_HOP).square()
    return (mel_filters().to(sound.device) @ power + TINY).log()


@cache
def mel_filters() -> Tensor:
    """[80, 513]: triangles evenly spaced on the mel scale, 2595 log10(1 + f / 700)."""
    top = 2595 * math.log10(1 + MEL_TOP / 700)
    edges = 700 * (10 ** (torch.linspace(0, top, MELS + 2) / 2595) - 1)
    hertz = torch.linspace(0, RATE / 2, MEL_FFT // 2 + 1)
    rising = (hertz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - hertz) / (edges[2:] - edges[1:-1])[:, None]
    return torch.minimum(rising, falling).clamp(min=0)


def _envelope(sound: Tensor) -> Tensor:
    """[B, N] → [B, parts]: the peak of each part; what does not fill one is left out."""
    whole = sound.shape[1] // PART * PART
    return sound[:, :whole].unflatten(1, (-1, PART)).abs().amax(dim=2)


def _correlation(x: Tensor, y: Tensor) -> Tensor:
    """Pearson's r of each sample, [B]."""
    x, y = x - x.mean(dim=1, keepdim=True), y - y.mean(dim=1, keepdim=True)
    # What is added inside the roots keeps silence's gradient finite.
    deviation = (x.square().sum(dim=1) + 1e-12).sqrt() * (y.square().sum(dim=1) + 1e-12).sqrt()
    return ((x * y).sum(dim=1) / (deviation + 1e-8 * (x.shape[1] - 1))).clamp(-1, 1)
