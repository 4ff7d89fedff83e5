"""Sound as a WAV file whose header can be written before its samples exist.

Knows RIFF. Must not know where sound comes from.
"""

import struct

import numpy as np

from model_container.engine.decoder import FloatArray

PCM, BITS = 1, 16


def header(samples: int, channels: int, rate: int) -> bytes:
    """The 44 bytes before so many samples of 16-bit PCM per channel."""
    block = channels * BITS // 8
    size = samples * block
    chunk = struct.pack("<4sIHHIIHH", b"fmt ", 16, PCM, channels, rate, rate * block, block, BITS)
    return struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE") + chunk + struct.pack("<4sI", b"data", size)


def pcm(sound: FloatArray) -> bytes:
    """sound [channels, samples] in -1 to 1 → interleaved 16-bit samples; what is louder is clipped."""
    scaled = np.rint(np.clip(sound, -1, 1) * 32767).astype("<i2")
    return np.ascontiguousarray(scaled.T).tobytes()
