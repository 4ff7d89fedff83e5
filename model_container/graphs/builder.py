"""Writes an ONNX graph node by node, its weights beside it in one file that can be memory-mapped.

Knows ONNX. Must not know any model.
"""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

OPSET, IR_VERSION = 21, 10
MICROSOFT = "com.microsoft"
ALIGNMENT = 4096  # so that every large tensor starts on a page of its own
INLINE = 1024  # bytes; smaller tensors stay in the graph, where shape inference can read them

Dimensions = Sequence[int | str]
TYPES = {
    "float32": TensorProto.FLOAT,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "uint8": TensorProto.UINT8,
}


class GraphBuilder:
    """`with GraphBuilder(folder / "name.onnx") as graph:` writes name.onnx and name.weights on a clean exit.

    Weights go to the file as they come, so that a packer never holds more than one of them.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._weights = file.with_suffix(".weights").open("wb")
        self._graph = onnx.GraphProto(name=file.stem)
        self._names = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._weights.close()
        if error is None:
            self._file.write_bytes(self._model().SerializeToString())

    def input(self, name: str, dtype: str, shape: Dimensions) -> str:
        self._graph.input.append(helper.make_tensor_value_info(name, TYPES[dtype], shape))
        return name

    def output(self, value: str, name: str, dtype: str, shape: Dimensions) -> None:
        """Publish a value under a name."""
        self._graph.node.append(helper.make_node("Identity", [value], [name]))
        self.declare(name, dtype, shape)

    def declare(self, name: str, dtype: str, shape: Dimensions) -> None:
        """Make a value that a node already has written under this name an output."""
        self._graph.output.append(helper.make_tensor_value_info(name, TYPES[dtype], shape))

    def constant(self, array: NDArray[Any]) -> str:
        name = self._name("c")
        array = np.asarray(array, order="C")  # keeps a scalar a scalar
        tensor = TensorProto(name=name, dims=array.shape, data_type=TYPES[str(array.dtype)])
        if array.nbytes < INLINE:
            tensor.raw_data = array.tobytes()
        else:
            self._store(tensor, array)
        self._graph.initializer.append(tensor)
        return name

    def node(self, op: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        return self.nodes(op, *inputs, count=1, domain=domain, **attributes)[0]

    def nodes(self, op: str, *inputs: str, count: int, domain: str = "", **attributes: Any) -> list[str]:
        outputs = [self._name(op.lower()) for _ in range(count)]
        self.call(op, inputs, outputs, domain=domain, **attributes)
        return outputs

    def call(
        self, op: str, inputs: Sequence[str], outputs: Sequence[str], domain: str = "", **attributes: Any
    ) -> None:
        """A node whose outputs' names the caller chooses. An empty name leaves an optional value out."""
        self._graph.node.append(helper.make_node(op, inputs, outputs, domain=domain, **attributes))

    def integers(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def add(self, left: str, right: str) -> str:
        return self.node("Add", left, right)

    def reshape(self, value: str, *shape: int) -> str:
        """0 keeps a dimension, -1 fills in what is left."""
        return self.node("Reshape", value, self.integers(*shape))

    def transpose(self, value: str, *order: int) -> str:
        return self.node("Transpose", value, perm=order)

    def _store(self, tensor: TensorProto, array: NDArray[Any]) -> None:
        offset = -(-self._weights.tell() // ALIGNMENT) * ALIGNMENT
        self._weights.seek(offset)
        self._weights.write(array.data)
        tensor.data_location = TensorProto.EXTERNAL
        place = {"location": Path(self._weights.name).name, "offset": offset, "length": array.nbytes}
        for key, value in place.items():
            tensor.external_data.append(onnx.StringStringEntryProto(key=key, value=str(value)))

    def _model(self) -> onnx.ModelProto:
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        return helper.make_model(self._graph, opset_imports=opsets, ir_version=IR_VERSION)

    def _name(self, kind: str) -> str:
        self._names += 1
        return f"{kind}_{self._names}"
