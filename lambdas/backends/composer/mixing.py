"""The mixing desk: reverb, ducking, glue and the final level. Knows samples, not music."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from lambdas.backends.composer.wav import SAMPLE_RATE

Samples = npt.NDArray[np.float32]

PEAK = 10 ** (-3 / 20)
_BLOCK = 1 << 17
_HOP = 1024
_FADE_IN = 0.004  # seconds
_FADE_OUT = 1.5  # seconds, or 30 % of a short piece: within the ring of the final chord


def duck(depth: float, beat: float) -> Samples:
    """The gain after a kick: down at once, back within a beat (`beat` in seconds)."""
    time = np.arange(round(0.9 * beat * SAMPLE_RATE)) / (0.9 * beat * SAMPLE_RATE)
    recovery = 0.5 - 0.5 * np.cos(np.pi * time**0.7)
    attack = np.exp(-time * 0.9 * beat / 0.004)
    return np.asarray(1 - depth * (1 - recovery) * (1 - attack), np.float32)


def master(bus: Samples, space: float) -> Samples:
    """Bus [left, right, send] to the finished stereo [2, frames], in place to spare memory."""
    stereo = bus[:2]
    _reverberate(stereo, bus[2], space)
    _glue(stereo)
    stereo -= stereo.mean(axis=1, dtype=np.float64, keepdims=True).astype(np.float32)
    _fade(stereo)
    loudest = max(float(stereo.max()), -float(stereo.min()), 1e-9)
    stereo *= np.float32(PEAK / loudest)
    return stereo


@lru_cache(maxsize=4)
def _room(space: float) -> Samples:
    """A room's impulse response [2, frames]: decaying noise, darker as it dies; unit energy per side."""
    decay = 0.16 + 0.28 * space
    time = np.arange(round(min(5 * decay, 2.9) * SAMPLE_RATE)) / SAMPLE_RATE
    rng = np.random.default_rng(1)
    middle, *sides = rng.standard_normal((3, len(time)))
    rows = []
    for side in sides:
        noise = (middle + side) * np.exp(-time / decay) * np.minimum(time / 0.012, 1)
        spectrum = np.fft.rfft(noise)
        hertz = np.fft.rfftfreq(len(noise), 1 / SAMPLE_RATE)
        spectrum *= (hertz / 250) ** 2 / (1 + (hertz / 250) ** 2) / (1 + (hertz / 4500) ** 2)
        response = np.fft.irfft(spectrum, len(noise))
        rows.append(response / np.sqrt(np.sum(response**2)))
    return np.asarray(rows, np.float32)


def _reverberate(stereo: Samples, send: Samples, space: float) -> None:
    """Add the room to both sides: overlap-add convolution, block by block."""
    room = _room(round(space, 1))
    size = _BLOCK * 2
    if room.shape[1] > size - _BLOCK:
        raise ValueError("the room is longer than a block")
    response = np.fft.rfft(room, size)
    frames = stereo.shape[1]
    for start in range(0, frames, _BLOCK):
        wet = np.fft.irfft(np.fft.rfft(send[start : start + _BLOCK], size) * response, size)
        end = min(start + size, frames)
        stereo[:, start:end] += wet[:, : end - start].astype(np.float32)


def _glue(stereo: Samples) -> None:
    """Gentle bus compression (1.5:1 above the average level), then a soft saturation that rounds peaks."""
    frames = stereo.shape[1]
    hops = -(-frames // _HOP)
    power = np.zeros(hops)
    for hop in range(hops):
        power[hop] = np.mean(np.square(stereo[:, hop * _HOP : (hop + 1) * _HOP]))
    smooth = np.convolve(np.pad(power, 8, mode="edge"), np.hanning(19)[1:-1] / 9.0, "valid")
    level = np.sqrt(smooth + 1e-12)
    typical = np.sqrt(np.mean(power)) + 1e-9
    gain = np.minimum(1.0, (typical / level) ** 0.35) / (4.5 * typical)
    centres = (np.arange(hops) + 0.5) * _HOP
    for start in range(0, frames, _BLOCK):
        end = min(start + _BLOCK, frames)
        drive = np.interp(np.arange(start, end), centres, gain).astype(np.float32)
        stereo[:, start:end] = np.tanh(stereo[:, start:end] * drive)


def _fade(stereo: Samples) -> None:
    frames = stereo.shape[1]
    rise = round(_FADE_IN * SAMPLE_RATE)
    stereo[:, :rise] *= np.linspace(0, 1, rise, dtype=np.float32)
    fall = min(round(_FADE_OUT * SAMPLE_RATE), 3 * frames // 10)
    stereo[:, -fall:] *= (0.5 + 0.5 * np.cos(np.linspace(0, np.pi, fall))).astype(np.float32)
