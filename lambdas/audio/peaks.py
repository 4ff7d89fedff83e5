"""A waveform's outline for the eye, in the JSON that audiowaveform writes (version 2) and players read."""

import json
import math

import numpy as np

from lambdas.audio.waveform import Waveform

POINTS = 1200  # about one per pixel of a wide player, whatever the length


def peaks(waveform: Waveform) -> bytes:
    """Return minimum and maximum of each of at most 1200 stretches over all channels, as 8-bit integers."""
    per_pixel = max(2, math.ceil(waveform.length / POINTS))
    starts = np.arange(0, waveform.length, per_pixel)
    lowest = np.minimum.reduceat(waveform.samples.min(axis=0), starts)
    highest = np.maximum.reduceat(waveform.samples.max(axis=0), starts)
    pairs = np.stack([lowest, highest], axis=1).clip(-1, 1)
    document = {
        "version": 2,
        "channels": 1,
        "sample_rate": waveform.rate,
        "samples_per_pixel": per_pixel,
        "bits": 8,
        "length": len(starts),
        "data": np.round(pairs * 127).astype(int).reshape(-1).tolist(),
    }
    return json.dumps(document, separators=(",", ":")).encode()
