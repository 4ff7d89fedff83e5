"""EnCodec's decoding side in PyTorch, in a stream of its own beside the decoder's steps; and its layers.

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
from model_container.engine.encodec import CONTEXT, Codec, Past, Pending
from model_container.engine.torch_copies import Fetched, put
from model_container.engine.weights import unnormed

PREFIX = "audio_encoder.decoder.layers."


class Convolution(NamedTuple):
    """A causal one looks only back, and fills up a last, partial step."""

    weight: Tensor
    bias: Tensor
    dilation: int = 1
    stride: int = 1
    causal: bool = False

    def __call__(self, x: Tensor) -> Tensor:
        total = (self.weight.shape[2] - 1) * self.dilation + 1 - self.stride
        pads = (total, -x.shape[2] % self.stride) if self.causal else (total - total // 2, total // 2)
        padded = functional.pad(x, pads, mode="reflect")
        return functional.conv1d(padded, self.weight, self.bias, self.stride, dilation=self.dilation)


class Spread(NamedTuple):
    """From one frame to `ratio`."""

    weight: Tensor
    bias: Tensor
    ratio: int
    causal: bool = False

    def __call__(self, x: Tensor) -> Tensor:
        spread = functional.conv_transpose1d(functional.elu(x), self.weight, self.bias, stride=self.ratio)
        after = self.ratio if self.causal else self.ratio // 2
        return spread[..., self.ratio - after : spread.shape[-1] - after]


class Residual(NamedTuple):
    inner: Convolution
    outer: Convolution
    shortcut: Convolution | None

    def __call__(self, x: Tensor) -> Tensor:
        added = self.outer(functional.elu(self.inner(functional.elu(x))))
        return (x if self.shortcut is None else self.shortcut(x)) + added


class TorchCodec(Codec):
    """A `Codec` that decodes on a device, in its own order beside the decoder's steps.

    The host only says what is to be done: what goes there and what comes back is copied without waiting.
    """

    def __init__(
        self, folder: Path, config: CodecConfig, *, channels: int, threads: int, device: str = "cpu"
    ) -> None:
        super().__init__(folder, config, channels=channels, threads=threads)
        self._device = torch.device(device)
        self._stream = torch.cuda.Stream() if self._device.type == "cuda" else None
        if self._stream is not None:
            torch.backends.cudnn.allow_tf32 = False  # sound keeps all its bits
        load = Load(Checkpoint(folder), config, self._device, PREFIX)
        self._first, self._recurrent, self._layers = load.first(), load.recurrent(), list(load.layers())
        if self._stream is not None:
            torch.cuda.synchronize()  # the weights are there before another stream reads them

    def chunk(
        self, latents: FloatArray, fresh: slice, sounding: slice, past: Past | None
    ) -> tuple[Pending, Past]:
        with self._beside():
            features, state = self._featured(latents, fresh, past)
            x = features
            for layer in self._layers[:-1]:
                x = layer(x)
            hop, kept = self.config.hop, max(sounding.stop - CONTEXT, 0)
            heard = slice(sounding.start * hop, sounding.stop * hop)
            sound = self._layers[-1](functional.elu(x))[:, 0, heard]
            return Fetched.of(sound), Past(features[:, :, kept:], state)

    def _featured(
        self, latents: FloatArray, fresh: slice, past: Past | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
        """Those of the past, then those of the fresh frames; and the LSTM's state after them."""
        if past and fresh.start == fresh.stop:  # the last chunk's look ahead was all that there is
            return past.features, past.state
        x = self._first(put(latents, self._device, torch.float32))[:, :, fresh].permute(2, 0, 1)
        inner, state = self._recurrent(x.contiguous(), past.state if past else None)
        features = (x + inner).permute(1, 2, 0)
        return torch.cat([past.features, features], dim=2) if past else features, state

    def _beside(self) -> AbstractContextManager[Any]:
        return nullcontext() if self._stream is None else torch.cuda.stream(self._stream)


class Load:
    """Layers under `prefix` of a checkpoint, onto a device."""

    def __init__(
        self, checkpoint: Checkpoint, config: CodecConfig, device: torch.device, prefix: str
    ) -> None:
        self._checkpoint, self._config, self._device, self._prefix = checkpoint, config, device, prefix
        self._width = config.filters * 2 ** len(config.ratios)

    def first(self) -> Convolution:
        return self.convolution("0", self._config.hidden, self._width, self._config.kernel)

    def recurrent(self, layer: int = 1) -> torch.nn.LSTM:
        width, layers = self._width, self._config.lstm_layers
        made = torch.nn.LSTM(width, width, layers, device=self._device).requires_grad_(False).eval()
        for name, parameter in made.named_parameters():
            parameter.copy_(
                torch.tensor(self._checkpoint.tensor(f"{self._prefix}{layer}.lstm.{name}", *parameter.shape))
            )
        return made

    def layers(self) -> Iterator[Spread | Residual | Convolution]:
        config, width, layer = self._config, self._width, 2
        for ratio in config.ratios:
            shape = (width, width // 2, 2 * ratio)
            yield Spread(*self._tensors(f"{layer + 1}", *shape, bias=width // 2), ratio, config.causal)
            width //= 2
            for j in range(config.residual_layers):
                yield self.residual(f"{layer + 2 + j}", width, j)
            layer += 2 + config.residual_layers
        yield self.convolution(f"{layer + 1}", width, 1, config.last_kernel)

    def residual(self, name: str, width: int, index: int) -> Residual:
        config, narrow = self._config, width // self._config.compress
        dilation = config.dilation_growth**index
        return Residual(
            self.convolution(f"{name}.block.1", width, narrow, config.residual_kernel, dilation),
            self.convolution(f"{name}.block.3", narrow, width, 1),
            self.convolution(f"{name}.shortcut", width, width, 1) if config.shortcut else None,
        )

    def convolution(
        self, name: str, inputs: int, outputs: int, kernel: int, dilation: int = 1, stride: int = 1
    ) -> Convolution:
        tensors = self._tensors(name, outputs, inputs, kernel, bias=outputs)
        return Convolution(*tensors, dilation, stride, self._config.causal)

    def _tensors(self, name: str, *shape: int, bias: int) -> tuple[Tensor, Tensor]:
        name = f"{self._prefix}{name}.conv"
        arrays = unnormed(self._checkpoint, name, *shape), self._checkpoint.tensor(f"{name}.bias", bias)
        weight, offset = (torch.tensor(array).to(self._device) for array in arrays)
        return weight, offset
