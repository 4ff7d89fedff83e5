"""A published checkpoint's tensors by name, memory-mapped and strict.

Knows the safetensors format (an 8-byte length, a JSON header, raw little-endian data:
https://huggingface.co/docs/safetensors). Must not know what the tensors mean.
"""

import json
import mmap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_container.engine.config import CheckpointError

FloatArray = NDArray[np.float32]

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"


class Checkpoint:
    """Tensors of a folder with model.safetensors, or its shards. Nothing is read before it is asked for.

    Every tensor is asked for by name and shape; `finish` then refuses tensors that nobody asked for, so that
    a model with parts that this engine does not compute is never run half.
    """

    def __init__(self, folder: Path) -> None:
        self._views: dict[str, tuple[memoryview, dict[str, Any]]] = {}
        self._asked: set[str] = set()
        for file in _shards(folder):
            self._open(file)

    def __contains__(self, name: str) -> bool:
        return name in self._views

    def tensor(self, name: str, *shape: int) -> FloatArray:
        """The tensor as fp32: a read-only view of the file if that is its type there, else a converted copy.

        Raises CheckpointError if it is missing or has another shape or an unsupported type.
        """
        if name not in self._views:
            raise CheckpointError(f"tensor {name} is missing")
        self._asked.add(name)
        data, entry = self._views[name]
        if tuple(entry["shape"]) != shape:
            raise CheckpointError(f"tensor {name} has shape {tuple(entry['shape'])}, expected {shape}")
        return _float32(name, data, str(entry["dtype"])).reshape(shape)

    def shapes(self, prefix: str) -> dict[str, tuple[int, ...]]:
        """The shapes of all tensors whose names start so, by name."""
        names = sorted(name for name in self._views if name.startswith(prefix))
        return {name: tuple(self._views[name][1]["shape"]) for name in names}

    def finish(self, ignored: Iterable[str] = ()) -> None:
        """Raises CheckpointError if a tensor is left over whose name does not end in one of `ignored`."""
        endings = tuple(ignored)
        left = sorted(name for name in self._views if name not in self._asked and not name.endswith(endings))
        if left:
            names = ", ".join(left[:5]) + (" …" if len(left) > 5 else "")
            raise CheckpointError(f"{len(left)} tensors that this engine does not know: {names}")

    def _open(self, file: Path) -> None:
        try:
            with file.open("rb") as stream:
                data = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
            start = 8 + int.from_bytes(data[:8], "little")
            header: dict[str, Any] = json.loads(bytes(data[8:start]))
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{file} is not a safetensors file: {error}") from error
        header.pop("__metadata__", None)
        for name, entry in header.items():
            first, last = (start + offset for offset in entry["data_offsets"])
            if last > len(data):
                raise CheckpointError(f"{file} is cut short: {name} ends at byte {last} of {len(data)}")
            self._views[name] = (data[first:last], entry)


def _shards(folder: Path) -> list[Path]:
    index = folder / INDEX
    if not index.exists():
        return [folder / SINGLE]
    try:
        names: set[str] = set(json.loads(index.read_text())["weight_map"].values())
    except (ValueError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{index} cannot be read: {error}") from error
    return [folder / Path(name).name for name in sorted(names)]


def _float32(name: str, data: memoryview, dtype: str) -> FloatArray:
    match dtype:
        case "F32":
            return np.frombuffer(data, "<f4")
        case "F16":
            return np.frombuffer(data, "<f2").astype(np.float32)
        case "BF16":
            return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
        case _:
            raise CheckpointError(f"tensor {name} has type {dtype}; this engine reads F32, F16 and BF16")
