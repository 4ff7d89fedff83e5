"""Samples to a RIFF/WAVE file. Knows nothing of music."""

import io
import wave

import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 44_100
_BLOCK = 1 << 18  # frames converted at a time: bounds the memory that long pieces take


def to_wav(samples: npt.NDArray[np.float32], sample_rate: int = SAMPLE_RATE) -> bytes:
    """A 16-bit PCM WAV file of `samples`, float [channels, frames] within -1 to 1; louder samples clip."""
    if samples.ndim != 2:
        raise ValueError(f"samples must be [channels, frames], not {samples.shape}")
    channels, frames = samples.shape
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(channels)
        wav.setsampwidth(2)
        wav.setframerate(sample_rate)
        for start in range(0, frames, _BLOCK):
            block = np.rint(np.clip(samples[:, start : start + _BLOCK], -1.0, 1.0) * 32767.0)
            wav.writeframesraw(block.T.astype("<i2").tobytes())
    return file.getvalue()
