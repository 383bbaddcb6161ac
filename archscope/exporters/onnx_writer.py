"""Write a graph and its weights as an ONNX model, without torch, from each operator's `onnx`.

Values, operators and weights have the names of the graph's nodes; if an operator needs several
ONNX operators, these are called `node/Kind`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from itertools import chain
from typing import Any

import numpy as np
from msgspec import Struct, json
from numpy.typing import NDArray

from archscope import __version__
from archscope.errors import GraphError, OptionError, UnavailableError
from archscope.exporters.formats import OPSET
from archscope.exporters.onnx_steps import OnnxSteps, Step
from archscope.exporters.streamed_arrays import StreamedArray
from archscope.exporters.weight_arrays import Streamed, fitted, untrained
from archscope.ir import Graph
from archscope.onnx_form import LEARNED

FIRST_OPSET = 18
"""The first opset in which reductions take their axes as inputs, as our forms state them."""

MAX_BYTES = 2**31 - 2**24
"""Protobuf's limit, with room for the graph."""

LARGE = 1024
"""Arrays of at least this many bytes bypass protobuf, which would copy them three times."""

Content = Iterator[bytes | memoryview]
"""Parts of a file, each of which is valid until the next."""

GRAPH, INITIALIZER, RAW_DATA = b"\x3a", b"\x2a", b"\x4a"
"""Tags of fields of ModelProto, GraphProto and TensorProto in onnx.proto."""


class OnnxModel(Struct, frozen=True):
    """An ONNX model as the parts of its file."""

    head: Any  # the ModelProto without its graph
    graph: Any  # the GraphProto without large arrays
    arrays: Mapping[str, NDArray[Any] | StreamedArray]  # the large ones

    @property
    def nodes(self) -> Any:
        """The operators, as NodeProto."""
        return self.graph.node

    @property
    def opset(self) -> int:
        """The version of ONNX's operators."""
        return int(self.head.opset_import[0].version)

    @property
    def size(self) -> int:
        """The bytes of the large arrays."""
        return sum(array.nbytes for array in self.arrays.values())

    @property
    def too_large(self) -> bool:
        """Whether a single file cannot hold the weights."""
        return self.size > MAX_BYTES

    def chunks(self) -> Content:
        """Yield the content of the file; arrays are not copied. Raises OptionError over 2 GiB.

        Each part is valid until the next.
        """
        if self.too_large:
            raise OptionError(
                f"an ONNX file holds at most 2 GiB, but '{self.graph.name}' has {self.size:,}"
                " bytes of weights"
            )
        yield from self._chunks([
            (_fields(name, array) + RAW_DATA + _varint(array.nbytes), array)
            for name, array in self.arrays.items()
        ])  # fmt: skip

    def split(self, name: str) -> tuple[Content, Content]:
        """Return the content of a file without large arrays, and that of their file `name`.

        Both files must be in one folder. Parts of the content are valid until the next.
        """
        onnx = library()
        tensors: list[tuple[bytes, NDArray[Any] | StreamedArray | None]] = []
        offset = 0
        for title, array in self.arrays.items():
            place = {"location": name, "offset": str(offset), "length": str(array.nbytes)}
            rest = onnx.TensorProto(data_location=onnx.TensorProto.EXTERNAL)
            for key, value in place.items():
                rest.external_data.add(key=key, value=value)
            tensors.append((_fields(title, array) + rest.SerializeToString(), None))
            offset += array.nbytes
        return self._chunks(tensors), chain.from_iterable(map(_data, self.arrays.values()))

    def _chunks(
        self, tensors: Sequence[tuple[bytes, NDArray[Any] | StreamedArray | None]]
    ) -> Content:
        """Yield the content of the file, given the fields of each tensor and the data behind."""
        inner = self.graph.SerializeToString()
        framed = []
        for start, array in tensors:
            size = len(start) + (array.nbytes if array is not None else 0)
            framed.append((INITIALIZER + _varint(size) + start, array))
        size = len(inner) + sum(
            len(start) + (array.nbytes if array is not None else 0) for start, array in framed
        )
        yield self.head.SerializeToString() + GRAPH + _varint(size)
        yield inner
        for start, array in framed:
            yield start
            if array is not None:
                yield from _data(array)

    def content(self) -> bytes:
        """Return the content of the file."""
        stream = BytesIO()
        stream.writelines(self.chunks())
        return stream.getvalue()

    def check(self) -> None:
        """Check the model and infer its shapes with onnx. Raises GraphError."""
        onnx = library()
        whole = onnx.ModelProto()
        whole.CopyFrom(self.head)
        whole.graph.CopyFrom(self.graph)
        of = onnx.helper.np_dtype_to_tensor_dtype
        whole.graph.input.extend(  # the check ignores their values
            onnx.helper.make_tensor_value_info(name, of(array.dtype), array.shape)
            for name, array in self.arrays.items()
        )
        try:
            onnx.checker.check_model(whole, full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            reason = str(error).strip().splitlines()[0]
            raise GraphError(f"'{self.graph.name}' is not valid ONNX: {reason}") from None


def _fields(name: str, array: NDArray[Any] | StreamedArray) -> bytes:
    """Return the fields of a tensor but its data."""
    onnx = library()
    kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
    tensor = onnx.TensorProto(name=name, dims=array.shape, data_type=kind)
    return bytes(tensor.SerializeToString())


def _data(array: NDArray[Any] | StreamedArray) -> Iterator[memoryview]:
    """Yield the values of an array as ONNX stores them."""
    for block in array.blocks() if isinstance(array, StreamedArray) else (array,):
        yield np.ascontiguousarray(block, block.dtype.newbyteorder("<")).data.cast("B")


def _varint(number: int) -> bytes:
    """Encode an integer as a protobuf varint."""
    code = bytearray()
    while number > 0x7F:
        code.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*code, number))


def _node(onnx: Any, step: Step) -> Any:
    attributes = {
        name: onnx.numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value
        for name, value in step.attributes
    }
    return onnx.helper.make_node(step.kind, step.inputs, step.outputs, step.name, **attributes)


def library() -> Any:
    """Return the package `onnx`. Raises UnavailableError if it is missing."""
    try:
        import onnx
    except ImportError as error:
        raise UnavailableError(
            f"ONNX needs the package {error.name}: pip install 'archscope[onnx]'"
        ) from None
    return onnx


def write_onnx(
    graph: Graph,
    weights: Streamed | None = None,
    *,
    seed: int = 0,
    opset: int | None = None,
    metadata: Mapping[str, str] | None = None,
    source: str = "the weights",
) -> OnnxModel:
    """Write a graph as an ONNX model for inference with a dynamic batch size.

    `weights` are arrays by their names in the state dict of `archscope.build`, called `source` in
    errors; without them, weights are random, drawn with `seed`. Batch norms stay as they are in
    the graph. `opset` is the version of ONNX's operators, by default the oldest supported one that
    has all operators of the network. `metadata` are texts by name.

    Raises UnavailableError without the package onnx; OptionError for weights of other names or
    shapes, and for an opset that lacks an operator; GraphError for an operator that states no form
    in ONNX.
    """
    onnx, graph = library(), graph.inference()
    newest = onnx.defs.onnx_opset_version()
    if opset is not None and not FIRST_OPSET <= opset <= newest:
        raise OptionError(f"ONNX is written in opset {FIRST_OPSET} to {newest}, got {opset}")
    arrays = untrained(graph, seed) if weights is None else fitted(graph, weights, source)
    found, helper = _steps(graph, arrays, opset), onnx.helper
    inputs, outputs, between = (
        [
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
            for name, shape in shapes.items()
        ]
        for shapes in (found.inputs, found.outputs, found.between)
    )
    nodes = [_node(onnx, step) for step in found.steps]
    large = {name: array for name, array in found.held.items() if array.nbytes >= LARGE}
    small = [
        onnx.numpy_helper.from_array(np.asarray(array), name)
        for name, array in found.held.items()
        if name not in large
    ]
    opsets = [helper.make_opsetid("", found.opset)]
    head = onnx.ModelProto(
        ir_version=helper.find_min_ir_version_for(opsets),
        producer_name="archscope",
        producer_version=__version__,
        opset_import=opsets,
    )
    learned = json.encode(found.learned).decode()
    helper.set_model_props(head, {LEARNED: learned, **(metadata or {})})
    made = helper.make_graph(nodes, graph.name, inputs, outputs, small, value_info=between)
    return OnnxModel(head, made, large)


def _steps(graph: Graph, arrays: Streamed, opset: int | None) -> OnnxSteps:
    """Return what the model consists of, in the oldest opset that has it unless one is requested.

    onnxruntime 1.32 runs the average pools of opset 19 and later by a slower kernel: NASNet-A
    (mobile) takes 1.2 times as long.
    """
    if opset is not None:
        return OnnxSteps(graph, arrays, opset)
    try:
        return OnnxSteps(graph, arrays, FIRST_OPSET)
    except OptionError:
        return OnnxSteps(graph, arrays, OPSET)
