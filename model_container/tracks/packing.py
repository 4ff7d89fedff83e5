"""Turn a two-track checkpoint and EnCodec's into the files that a server maps into memory. Needs torch.

Knows what a packed folder holds. Must not know how it is served.
"""

from pathlib import Path

import numpy as np
import torch

from model_container.cascade import TwoTrack, load
from model_container.cascade.blocks import SpectralLinear
from model_container.engine.checkpoint import Checkpoint, FloatArray
from model_container.engine.config import CheckpointError, CodecConfig, load_codec_config
from model_container.graphs.cascade import build_cascade
from model_container.graphs.codec import LATENT, build_latent_codec
from model_container.graphs.tensors import write_tensors
from model_container.tracks.model import CASCADE, CODEC, CONFIG, TENSORS

# Of EnCodec, only what makes latents and sound is used.
UNUSED = "codebook.embed", "codebook.inited", "codebook.cluster_size", "codebook.embed_avg"


def write_tracks(source: Path, encodec: Path, folder: Path) -> None:
    """Raises CheckpointError if either checkpoint is missing, wrong, or holds a number that is none."""
    model, config = load(source), load_codec_config(encodec)
    if config.hidden != model.architecture.dim:
        raise CheckpointError(
            f"EnCodec's latents have {config.hidden} channels, the model takes another number"
        )
    _write_codec(encodec, folder, config)
    build_cascade(folder / CASCADE, arrays(model), model.architecture)
    container = {"model_state_dict": model.state_dict(), "args": {"nhead": model.architecture.heads}}
    torch.save(container, folder / TENSORS)  # for a GPU, where torch runs the model itself


def _write_codec(encodec: Path, folder: Path, config: CodecConfig) -> None:
    checkpoint = Checkpoint(encodec)
    for prefix in LATENT:
        for name, shape in checkpoint.shapes(prefix).items():
            if not np.isfinite(checkpoint.tensor(name, *shape)).all():
                raise CheckpointError(f"EnCodec's {name} is not finite")
    (folder / CONFIG).write_bytes((encodec / "config.json").read_bytes())
    build_latent_codec(folder, checkpoint, config)
    checkpoint.finish(UNUSED)
    write_tensors(folder / CODEC, checkpoint, UNUSED, dict.fromkeys(LATENT, ("F32", np.float32)))


def arrays(model: TwoTrack) -> dict[str, FloatArray]:
    """A folded model's tensors by name; its projections' weights are what they compute with."""
    named = {name: value.numpy() for name, value in model.state_dict().items()}
    for name, module in model.named_modules():
        if isinstance(module, SpectralLinear) and module.folded is not None:
            named[f"{name}.weight"] = module.folded.numpy()
    return named
