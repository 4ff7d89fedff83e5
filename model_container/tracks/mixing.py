"""How loud the new song is, and how far it is from plainly mixing the two.

Knows samples. Must not know models or files. Levels are root mean squares over the whole clip.
"""

from dataclasses import dataclass

import numpy as np

from model_container.engine.checkpoint import FloatArray

LOUDEST_GAIN = 3.0
SILENT = 1e-6
FLOOR_DB = -120.0


@dataclass(frozen=True)
class Report:
    """The output beside the plain mix: both tracks brought to one level, added, brought to that level.

    distance_db: level of (output − mix) over the mix's, the output at the mix's level; −120 is the same.
    correlation: of output and mix, −1 to 1.
    explained: share of the output's energy that the best weighted sum of the two tracks accounts for.
    weight1, weight2: what that sum takes of either.
    """

    distance_db: float
    correlation: float
    explained: float
    weight1: float
    weight2: float


def level(sound: FloatArray) -> float:
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))


def common_level(tracks: FloatArray) -> float:
    """[2, samples]: the level that has the tracks' mean energy."""
    return float(np.sqrt(np.mean(np.square(tracks, dtype=np.float64))))


def match(sound: FloatArray, tracks: FloatArray) -> FloatArray:
    """Bring sound [samples] to the tracks' common level, and to at most three times its own."""
    own = level(sound)
    if own < SILENT:
        return sound
    return sound * np.float32(min(common_level(tracks) / own, LOUDEST_GAIN))


def plain_mix(tracks: FloatArray) -> FloatArray:
    """[2, samples] → [samples]: both at their common level, added, and again at that level."""
    wanted = common_level(tracks)
    added: FloatArray = np.zeros_like(tracks[0])
    for track in tracks:
        if (own := level(track)) >= SILENT:
            added += track * np.float32(wanted / own)
    own = level(added)
    return np.multiply(added, np.float32(wanted / own)) if own >= SILENT else added


def compare(sound: FloatArray, tracks: FloatArray) -> Report:
    out, mix = sound.astype(np.float64), plain_mix(tracks).astype(np.float64)
    both = tracks.astype(np.float64)
    weights = np.linalg.pinv(both @ both.T) @ (both @ out)
    energy = float(out @ out)
    explained = float(1 - np.sum((out - weights @ both) ** 2) / energy) if energy else 0.0
    norms = float(np.linalg.norm(out) * np.linalg.norm(mix))
    correlation = float(out @ mix) / norms if norms else 0.0
    # Two signals of one level: |a − b|² / |b|² = 2 − 2 r.
    distance = 10 * np.log10(max(2 - 2 * correlation, 10 ** (FLOOR_DB / 10)))
    values = distance, correlation, explained, *weights
    return Report(*(round(float(value), 4) for value in values))
