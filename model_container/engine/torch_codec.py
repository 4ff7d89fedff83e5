"""EnCodec's decoding side in PyTorch, in a stream of its own beside the decoder's steps.

Knows SEANet's convolutions in torch (Défossez et al. 2022, arXiv:2210.13438). Must not know how a signal is
cut into pieces, or how codes are made.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from model_container.engine.checkpoint import Checkpoint, FloatArray
from model_container.engine.config import CodecConfig
from model_container.engine.encodec import Codec
from model_container.engine.weights import unnormed

PREFIX = "audio_encoder.decoder.layers"


class Convolution(NamedTuple):
    weight: Tensor
    bias: Tensor
    dilation: int = 1

    def __call__(self, x: Tensor) -> Tensor:
        total = (self.weight.shape[2] - 1) * self.dilation
        padded = functional.pad(x, (total - total // 2, total // 2), mode="reflect")
        return functional.conv1d(padded, self.weight, self.bias, dilation=self.dilation)


class Spread(NamedTuple):
    """From one frame to `ratio`."""

    weight: Tensor
    bias: Tensor
    ratio: int

    def __call__(self, x: Tensor) -> Tensor:
        spread = functional.conv_transpose1d(functional.elu(x), self.weight, self.bias, stride=self.ratio)
        return spread[..., self.ratio - self.ratio // 2 : spread.shape[-1] - self.ratio // 2]


class Residual(NamedTuple):
    inner: Convolution
    outer: Convolution
    shortcut: Convolution | None

    def __call__(self, x: Tensor) -> Tensor:
        added = self.outer(functional.elu(self.inner(functional.elu(x))))
        return (x if self.shortcut is None else self.shortcut(x)) + added


class TorchCodec(Codec):
    """A `Codec` that decodes on a device. What it waits for is its own stream, never the decoder's steps."""

    def __init__(
        self, folder: Path, config: CodecConfig, *, channels: int, threads: int, device: str = "cpu"
    ) -> None:
        super().__init__(folder, config, channels=channels, threads=threads)
        self._device = torch.device(device)
        self._stream = torch.cuda.Stream() if self._device.type == "cuda" else None
        if self._stream is not None:
            torch.backends.cudnn.allow_tf32 = False  # sound keeps all its bits
        load = _Load(Checkpoint(folder), config, self._device)
        self._first, self._recurrent, self._layers = load.first(), load.recurrent(), list(load.layers())
        if self._stream is not None:
            torch.cuda.synchronize()  # the weights are there before another stream reads them

    def features(
        self, latents: FloatArray, keep: tuple[int, int], state: list[FloatArray]
    ) -> list[FloatArray]:
        with self._beside():
            x = self._first(self._put(latents))[:, :, keep[0] : keep[1]].permute(2, 0, 1)
            hidden, cell = (torch.cat([self._put(part) for part in state[i::2]]) for i in (0, 1))
            inner, (hidden, cell) = self._recurrent(x.contiguous(), (hidden, cell))
            pairs = zip(hidden.split(1), cell.split(1), strict=True)
            results = [(x + inner).permute(1, 2, 0), *(part for pair in pairs for part in pair)]
            return [result.cpu().numpy() for result in results]

    def sound(self, features: FloatArray) -> FloatArray:
        with self._beside():
            x = self._put(features)
            for layer in self._layers[:-1]:
                x = layer(x)
            sound: FloatArray = self._layers[-1](functional.elu(x))[:, 0].cpu().numpy()
            return sound

    def _beside(self) -> AbstractContextManager[Any]:
        return nullcontext() if self._stream is None else torch.cuda.stream(self._stream)

    def _put(self, array: FloatArray) -> Tensor:
        return torch.tensor(array, dtype=torch.float32).to(self._device)


class _Load:
    def __init__(self, checkpoint: Checkpoint, config: CodecConfig, device: torch.device) -> None:
        self._checkpoint, self._config, self._device = checkpoint, config, device
        self._width = config.filters * 2 ** len(config.ratios)

    def first(self) -> Convolution:
        return self._convolution("0", self._config.hidden, self._width, self._config.kernel)

    def recurrent(self) -> torch.nn.LSTM:
        width, layers = self._width, self._config.lstm_layers
        made = torch.nn.LSTM(width, width, layers, device=self._device).requires_grad_(False)
        for name, parameter in made.named_parameters():
            parameter.copy_(
                torch.tensor(self._checkpoint.tensor(f"{PREFIX}.1.lstm.{name}", *parameter.shape))
            )
        return made

    def layers(self) -> Iterator[Spread | Residual | Convolution]:
        config, width, layer = self._config, self._width, 2
        for ratio in config.ratios:
            shape = (width, width // 2, 2 * ratio)
            yield Spread(*self._tensors(f"{layer + 1}", *shape, bias=width // 2), ratio)
            width //= 2
            for j in range(config.residual_layers):
                yield self._residual(f"{layer + 2 + j}", width, j)
            layer += 2 + config.residual_layers
        yield self._convolution(f"{layer + 1}", width, 1, config.last_kernel)

    def _residual(self, name: str, width: int, index: int) -> Residual:
        config, narrow = self._config, width // self._config.compress
        dilation = config.dilation_growth**index
        return Residual(
            self._convolution(f"{name}.block.1", width, narrow, config.residual_kernel, dilation),
            self._convolution(f"{name}.block.3", narrow, width, 1),
            self._convolution(f"{name}.shortcut", width, width, 1) if config.shortcut else None,
        )

    def _convolution(
        self, name: str, inputs: int, outputs: int, kernel: int, dilation: int = 1
    ) -> Convolution:
        return Convolution(*self._tensors(name, outputs, inputs, kernel, bias=outputs), dilation)

    def _tensors(self, name: str, *shape: int, bias: int) -> tuple[Tensor, Tensor]:
        name = f"{PREFIX}.{name}.conv"
        arrays = unnormed(self._checkpoint, name, *shape), self._checkpoint.tensor(f"{name}.bias", bias)
        weight, offset = (torch.tensor(array).to(self._device) for array in arrays)
        return weight, offset
