"""ONNX Runtime sessions, and runs over memory that stays where it is.

Knows ONNX Runtime. Must not know any model.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnxruntime as ort
from numpy.typing import NDArray

from model_container.engine.config import CheckpointError

Array = NDArray[Any]


def open_session(
    file: Path, threads: int, *, prepack: bool = True, spin: bool = True
) -> ort.InferenceSession:
    """A session on the CPU with so many threads.

    prepack: copy the weights into the kernels' own layout, which is faster and takes their size in memory;
    without it they stay in the mapped file: right for what runs once a song.
    spin: let idle threads wait busily for the next run; they take the processor from whatever runs instead.
    Raises CheckpointError if the file is not there or not readable.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if not prepack:
        options.add_session_config_entry("session.disable_prepacking", "1")
    if not spin:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's own exceptions have no common base
        raise CheckpointError(f"{file} cannot be loaded: {error}") from error


class Binding:
    """A session's inputs and outputs bound to arrays: each run reads and writes these very arrays.

    An input and an output may share memory where the operator allows it, as attention's past and present do.
    """

    def __init__(
        self, session: ort.InferenceSession, inputs: Mapping[str, Array], outputs: Mapping[str, Array]
    ) -> None:
        self._session = session
        self._arrays = (inputs, outputs)  # keeps the memory alive
        self._binding = session.io_binding()
        for name, array in inputs.items():
            self._binding.bind_input(name, "cpu", 0, array.dtype.type, array.shape, _address(name, array))
        for name, array in outputs.items():
            self._binding.bind_output(name, "cpu", 0, array.dtype.type, array.shape, _address(name, array))

    def run(self) -> None:
        self._session.run_with_iobinding(self._binding)


def _address(name: str, array: Array) -> int:
    if not array.flags.c_contiguous:
        raise ValueError(f"{name} is not contiguous")
    return array.ctypes.data
