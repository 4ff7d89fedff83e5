"""The two-track model and EnCodec in PyTorch, for a GPU; on a CPU for tests.

Knows torch. Must not know what tracks are mixed.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from model_container.cascade import TwoTrack, load
from model_container.engine.checkpoint import Checkpoint, FloatArray
from model_container.engine.config import CodecConfig, load_codec_config
from model_container.engine.torch_codec import Convolution, Load, Residual, Spread
from model_container.tracks.codec import MIN_FRAMES, Check
from model_container.tracks.model import TENSORS, TrackModel

Layer = Convolution | Residual | Spread | Callable[[Tensor], Tensor]


def load_tracks(folder: Path, threads: int) -> TrackModel:
    """On a GPU where there is one. Raises CheckpointError."""
    torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False  # sound keeps all its bits
    codec = TorchLatentCodec(folder, load_codec_config(folder), device)
    return TrackModel(codec, TorchNetwork(load(folder / TENSORS).to(device), device), device.type)


class TorchNetwork:
    """Implements Network."""

    def __init__(self, model: TwoTrack, device: torch.device) -> None:
        self._model, self._device = model, device

    def __call__(self, track1: FloatArray, track2: FloatArray) -> FloatArray:
        with torch.inference_mode():
            tracks = (torch.from_numpy(track).to(self._device) for track in (track1, track2))
            latents: FloatArray = self._model(*tracks).cpu().numpy()
            return latents


class TorchLatentCodec:
    """A codec as `LatentCodec` is, on the whole signal at once."""

    def __init__(self, folder: Path, config: CodecConfig, device: torch.device) -> None:
        self.config, self._device = config, device
        checkpoint = Checkpoint(folder)
        self._encoder = _encoder(Load(checkpoint, config, device, "encoder.layers."), config)
        self._decoder = _decoder(Load(checkpoint, config, device, "decoder.layers."))

    def encode(self, sound: FloatArray, check: Check = lambda: None) -> FloatArray:
        frames = -(-sound.shape[1] // self.config.hop)
        self._enough(frames)
        check()
        return self._run(self._encoder, sound[:, None])

    def decode(self, latents: FloatArray, check: Check = lambda: None) -> FloatArray:
        self._enough(latents.shape[2])
        check()
        return self._run(self._decoder, latents)[:, 0]

    def _run(self, layers: list[Layer], array: FloatArray) -> FloatArray:
        with torch.inference_mode():
            x = torch.from_numpy(np.ascontiguousarray(array)).to(self._device)
            for layer in layers:
                x = layer(x)
            result: FloatArray = x.cpu().numpy()
            return result

    @staticmethod
    def _enough(frames: int) -> None:
        if frames < MIN_FRAMES:
            raise ValueError(f"{frames} frames of sound are too few: {MIN_FRAMES} are needed")


def _encoder(load: Load, config: CodecConfig) -> list[Layer]:
    width, index = config.filters, 1
    layers: list[Layer] = [load.convolution("0", 1, width, config.kernel)]
    for ratio in reversed(config.ratios):
        layers += [load.residual(f"{index + j}", width, j) for j in range(config.residual_layers)]
        index += config.residual_layers
        layers += [
            functional.elu,
            load.convolution(f"{index + 1}", width, 2 * width, 2 * ratio, stride=ratio),
        ]
        width, index = 2 * width, index + 2
    layers += [_recurrent(load.recurrent(index)), functional.elu]
    return [*layers, load.convolution(f"{index + 2}", width, config.hidden, config.last_kernel)]


def _decoder(load: Load) -> list[Layer]:
    *layers, last = load.layers()
    return [load.first(), _recurrent(load.recurrent()), *layers, functional.elu, last]


def _recurrent(lstm: torch.nn.LSTM) -> Layer:
    def layer(x: Tensor) -> Tensor:
        steps = x.permute(2, 0, 1)
        return (lstm(steps)[0] + steps).permute(1, 2, 0)

    return layer
