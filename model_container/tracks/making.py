"""From two tracks to one, stage by stage; the stages' names are what listeners are told.

Knows the order of things. Must not know threads or who asked.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from model_container.engine.checkpoint import FloatArray
from model_container.tracks.codec import Check
from model_container.tracks.limiting import limit
from model_container.tracks.mixing import compare, match
from model_container.tracks.model import TrackModel


@dataclass(frozen=True)
class Stage:
    progress: float
    message: str


ENCODING = Stage(0.5, "Encoding with EnCodec...")
GENERATING = Stage(0.7, "Generating music...")
DECODING = Stage(0.85, "Decoding audio...")
SAVING = Stage(0.95, "Saving output...")


@dataclass(frozen=True, eq=False)
class Made:
    """sound [samples], and how it compares with the plain mix."""

    sound: FloatArray
    report: dict[str, float]


class NotFiniteError(ArithmeticError):
    """The model gave what is no sound."""


def make(model: TrackModel, tracks: FloatArray, tell: Callable[[Stage], None], check: Check) -> Made:
    """tracks [2, samples] → as many samples. `tell` hears each stage begin; what `check` raises ends it.

    Raises NotFiniteError.
    """
    tell(ENCODING)
    latents = model.codec.encode(tracks, check)
    check()
    tell(GENERATING)
    blended = model.network(latents[:1], latents[1:])
    check()
    tell(DECODING)
    sound = model.codec.decode(blended, check)[0, : tracks.shape[1]]
    if not np.isfinite(sound).all():
        raise NotFiniteError("the model gave sound that is not finite")
    check()
    tell(SAVING)
    matched = match(sound, tracks)
    return Made(limit(matched), asdict(compare(matched, tracks)))
