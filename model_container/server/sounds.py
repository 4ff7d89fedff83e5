"""WAV files as the engine takes them: floats at the model's rate.

Knows WAV. Must not know where files come from.
"""

import io
import wave

import numpy as np

from model_container.engine.decoder import FloatArray
from model_container.engine.resampling import resample

MAX_RATE = 192_000


def read_wav(data: bytes, rate: int, max_seconds: float, start: float = 0.0) -> FloatArray:
    """PCM of 8 to 32 bits → [channels, samples] at `rate`, at most so many seconds of it from `start`.

    Raises ValueError if it is not that, or ends before.
    """
    try:
        with wave.open(io.BytesIO(data)) as file:
            channels, width, own = file.getnchannels(), file.getsampwidth(), file.getframerate()
            if start * own >= file.getnframes():
                raise ValueError(f"a start at {start:g} s is past the end, {file.getnframes() / own:g} s")
            file.setpos(int(start * own))
            raw = file.readframes(int(max_seconds * own))
    except (wave.Error, EOFError) as error:
        raise ValueError(f"an input is not a PCM WAV file: {error}") from error
    if not (1 <= channels <= 2 and 1 <= own <= MAX_RATE):
        raise ValueError(f"an input has {channels} channels at {own} Hz")
    if len(raw) < channels * width:  # its header promised more
        raise ValueError(f"a start at {start:g} s is past the end")
    samples = _floats(raw[: len(raw) // (channels * width) * channels * width], width)
    return resample(samples.reshape(-1, channels).T, own, rate)


def _floats(raw: bytes, width: int) -> FloatArray:
    if width == 1:
        unsigned: FloatArray = np.frombuffer(raw, np.uint8).astype(np.float32)
        return unsigned / np.float32(128) - np.float32(1)
    if width == 3:
        wide = np.zeros((len(raw) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        return _floats(wide.tobytes(), 4)
    samples: FloatArray = np.frombuffer(raw, f"<i{width}").astype(np.float32)
    return samples / np.float32(1 << (8 * width - 1))
