"""A decoder that runs our own C++: 8-bit weights and caches, one song or many, at the speed of memory.

Knows the C interface (native/src/cadenza_decoder.h). Must not know tokens, sampling, or how a step computes.
"""

import ctypes
import logging
import weakref
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_container.engine.config import DecoderConfig
from model_container.engine.decoder import FloatArray, IntArray
from model_container.engine.quota import cpus
from model_container.native import build

_log = logging.getLogger(__name__)
_POINTER = ctypes.c_void_p
_INT = ctypes.c_int32
_LONG = ctypes.c_int64
_SIGNATURES: dict[str, tuple[Any, ...]] = {
    "open": (ctypes.c_char_p, _INT, _INT, _INT, ctypes.c_char_p, _POINTER),
    "describe": (_POINTER, _POINTER),
    "admit": (_POINTER, _INT, _POINTER, _INT),
    "prefill": (_POINTER, _INT, _POINTER, _INT, _LONG),
    "step": (_POINTER, _INT, _POINTER, _POINTER, _POINTER, _POINTER, _POINTER),
    "release": (_POINTER, _INT),
}
_NO_MEMORY = 4


class NativeError(RuntimeError):
    """The native decoder refused; the message says why: a damaged file, a value out of range, …"""


class _Shape(ctypes.Structure):
    """struct cadenza_shape."""

    _fields_ = [
        *((name, _INT) for name in ("hidden", "heads", "layers", "ffn", "codebooks", "vocabulary", "cross")),
        *((name, _INT) for name in ("format", "group", "threads")),
        *((name, _LONG) for name in ("step_bytes", "slot_bytes")),
    ]


class _Library:
    """The C functions, with statuses turned into exceptions."""

    def __init__(self, file: Path) -> None:
        self._library = ctypes.CDLL(str(file))
        self._calls = {
            name: self._function(name, ctypes.c_int, *arguments) for name, arguments in _SIGNATURES.items()
        }
        self.close = self._function("close", None, _POINTER)
        self._explain = self._function("explain", ctypes.c_char_p, ctypes.c_int)
        self.kernels = self._function("kernels", ctypes.c_char_p)().decode().split()

    def call(self, name: str, *arguments: Any) -> None:
        status = self._calls[name](*arguments)
        if status == _NO_MEMORY:
            raise MemoryError(self._explain(status).decode())
        if status:
            raise NativeError(f"{name}: {self._explain(status).decode()}")

    def _function(self, name: str, result: Any, *arguments: Any) -> Any:
        function = self._library[f"cadenza_{name}"]
        function.restype, function.argtypes = result, arguments
        return function


@cache
def _library() -> _Library | None:
    try:
        file = build.shared_object()
        return _Library(file) if file else None
    except (build.CompilerError, OSError) as error:  # an old compiler, a folder that cannot be written, …
        _log.warning("The native decoder cannot be had, and songs will take longer: %s", error)
        return None


def kernels() -> list[str]:
    """The kernels that this CPU can run, best first; empty where the native decoder was never compiled."""
    library = _library()
    return library.kernels if library else []


class NativeDecoder:
    """A `Decoder` over a file that `native.pack` wrote.

    threads: at most as many as we may keep busy, which 0 stands for. kernels: one of `kernels()`, or "auto".
    """

    def __init__(
        self,
        file: Path,
        config: DecoderConfig,
        *,
        slots: int,
        positions: int,
        threads: int = 0,
        kernels: str = "auto",
    ) -> None:
        library = _library()
        if library is None:
            raise NativeError("the native decoder was not compiled: there is no C++ compiler here")
        self.config, self.slots, self.max_positions = config, slots, positions
        self._library, self._shape, self._handle = library, _Shape(), ctypes.c_void_p()
        name, most = kernels.encode(), cpus()
        count = min(threads or most, most)
        library.call("open", bytes(file), slots, positions, count, name, ctypes.byref(self._handle))
        weakref.finalize(self, library.close, self._handle)
        self._call("describe", ctypes.byref(self._shape))
        self._compare(file)

    @property
    def threads(self) -> int:
        return int(self._shape.threads)

    @property
    def step_bytes(self) -> int:
        """Weights that a step reads, in bytes; keys and values come on top."""
        return int(self._shape.step_bytes)

    @property
    def slot_bytes(self) -> int:
        """Keys and values of one song, in bytes."""
        return int(self._shape.slot_bytes)

    def admit(self, slot: int, text: FloatArray) -> None:
        text = self._floats(text, len(text), self.config.hidden)
        self._call("admit", slot, text.ctypes.data, len(text))

    def prefill(self, slot: int, hidden: FloatArray, position: int) -> None:
        hidden = self._floats(hidden, 2, hidden.shape[1], self.config.hidden)
        self._call("prefill", slot, hidden.ctypes.data, hidden.shape[1], position)

    def step(
        self, slots: IntArray, hidden: FloatArray, positions: IntArray, guidance: FloatArray
    ) -> FloatArray:
        songs = len(slots)
        hidden, guidance = self._floats(hidden, songs, self.config.hidden), self._floats(guidance, songs)
        slots, positions = self._integers(slots, songs), self._integers(positions, songs)
        logits = np.empty((songs, self.config.codebooks, self.config.vocabulary), np.float32)
        arrays = slots, hidden, positions, guidance, logits
        self._call("step", songs, *(array.ctypes.data for array in arrays))
        return logits

    def release(self, slot: int) -> None:
        self._call("release", slot)

    def _call(self, name: str, *arguments: Any) -> None:
        self._library.call(name, self._handle, *arguments)

    def _compare(self, file: Path) -> None:
        config = self.config
        for name in ("hidden", "heads", "layers", "ffn", "codebooks", "vocabulary"):
            if getattr(self._shape, name) != getattr(config, name):
                raise NativeError(f"{file}: its {name} is {getattr(self._shape, name)}, not the model's")
        if bool(self._shape.cross) != (config.melody is None):
            raise NativeError(f"{file}: it is packed for another kind of model")

    @staticmethod
    def _floats(array: NDArray[Any], *shape: int) -> FloatArray:
        if array.shape != shape:
            raise ValueError(f"an array of shape {array.shape} was given for {shape}")
        return np.ascontiguousarray(array, np.float32)

    @staticmethod
    def _integers(array: NDArray[Any], length: int) -> IntArray:
        if array.shape != (length,):
            raise ValueError(f"an array of shape {array.shape} was given for {(length,)}")
        return np.ascontiguousarray(array, np.int64)
