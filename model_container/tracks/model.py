"""A packed two-track model, loaded: sound to latents, latents to new ones, latents to sound.

Knows what a packed folder holds and which runtime fits this machine. Must not know what tracks are mixed.
"""

from pathlib import Path
from typing import Protocol

import numpy as np

from model_container.engine.checkpoint import SINGLE, FloatArray
from model_container.engine.config import CheckpointError, CodecConfig, load_codec_config
from model_container.engine.device import cuda
from model_container.engine.manifest import Manifest
from model_container.engine.session import open_session
from model_container.tracks.codec import MIN_FRAMES, Check, LatentCodec

CASCADE = "cascade.onnx"
TENSORS = "cascade.pt"
CODEC = SINGLE
CONFIG = "config.json"
LONGEST = 1950  # frames, 26 s; the model's positions end at 2000


class Codec(Protocol):
    config: CodecConfig

    def encode(self, sound: FloatArray, check: Check = ...) -> FloatArray: ...

    def decode(self, latents: FloatArray, check: Check = ...) -> FloatArray: ...


class Network(Protocol):
    def __call__(self, track1: FloatArray, track2: FloatArray) -> FloatArray:
        """Latents [1, dim, frames] of two tracks → those of a new one."""


class TrackModel:
    """Threads may share it, though one at a time uses the machine best. `device` is "cpu" or "cuda"."""

    def __init__(self, codec: Codec, network: Network, device: str) -> None:
        self.codec, self.network, self.device = codec, network, device
        self.config = codec.config

    @staticmethod
    def load(folder: Path, *, threads: int = 1, runtime: str = "auto") -> "TrackModel":
        """Load a packed folder and try it once. runtime: "onnx", "torch", or "auto" for torch on a GPU.

        Raises CheckpointError if it is none of ours, or gives what is no sound.
        """
        if Manifest.read(folder).kind != "tracks":
            raise CheckpointError(f"{folder} holds no two-track model")
        chosen = ("torch" if cuda() else "onnx") if runtime == "auto" else runtime
        if chosen == "torch":
            from model_container.tracks import torch_model  # here, as a CPU's installation has no torch

            model = torch_model.load_tracks(folder, threads)
        else:
            codec = LatentCodec(folder, load_codec_config(folder), threads=threads)
            model = TrackModel(codec, OnnxNetwork(folder, threads), "cpu")
        model._try()
        return model

    @property
    def rate(self) -> int:
        return self.config.rate

    def _try(self) -> None:
        noise = np.random.default_rng(0).standard_normal((2, 2 * MIN_FRAMES * self.config.hop))
        latents = self.codec.encode((noise / 10).astype(np.float32))
        sound = self.codec.decode(self.network(latents[:1], latents[1:]))
        if not np.isfinite(sound).all():
            raise CheckpointError("the model's weights give sound that is not finite")


class OnnxNetwork:
    """Implements Network on the CPU."""

    def __init__(self, folder: Path, threads: int) -> None:
        self._session = open_session(folder / CASCADE, threads)

    def __call__(self, track1: FloatArray, track2: FloatArray) -> FloatArray:
        latents: FloatArray = self._session.run(None, {"track1": track1, "track2": track2})[0]
        return latents
