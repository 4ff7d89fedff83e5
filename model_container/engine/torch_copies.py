"""Copies between the host's memory and a device's that wait for nothing.

Knows pinned memory and events. Must not know what is copied.

A plain copy either way holds the host until the stream has done all it was given before: every step that is
under way. From and to pinned memory a copy only takes its place behind them.
"""

from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor


def put(array: NDArray[Any], device: torch.device, dtype: torch.dtype) -> Tensor:
    """An array's values as a new tensor, on their way to the device."""
    tensor = torch.tensor(array, dtype=dtype)
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


@dataclass(frozen=True, eq=False)
class Fetched:
    """A tensor's values on their way to the host, behind all that the current stream was given before."""

    _copy: Tensor
    _event: "torch.cuda.Event | None"

    @staticmethod
    def of(tensor: Tensor) -> "Fetched":
        if not tensor.is_cuda:
            return Fetched(tensor.clone(), None)
        copy = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        copy.copy_(tensor.contiguous(), non_blocking=True)
        event = torch.cuda.Event()
        event.record()
        return Fetched(copy, event)

    def ready(self) -> bool:
        return self._event is None or bool(self._event.query())

    def array(self) -> NDArray[Any]:
        """Waits until they are there. A copy, so that pinned memory is free again when this is."""
        if self._event is not None:
            self._event.synchronize()
        values: NDArray[Any] = self._copy.numpy().copy()
        return values
