"""Read the flatbuffer of a model into plain records of its tensors and operators.

The package `tflite` is the reader that flatc generates from the schema of TensorFlow Lite. It
checks nothing, so lengths are checked here before anything of that length is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct

from archscope.errors import DataError, LimitError, UnavailableError
from archscope.importers.file_content import Content, content_of
from archscope.importers.file_graph import MOST_NODES
from archscope.ir import Shape, text_of
from archscope.signatures import BEGIN, described

T = TypeVar("T")

MAGIC = b"TFL3"

STORED = {
    "FLOAT32": "<f4", "FLOAT16": "<f2", "FLOAT64": "<f8", "BFLOAT16": "<u2", "INT4": "u1",
    "INT8": "i1", "UINT8": "u1", "INT16": "<i2", "UINT16": "<u2", "INT32": "<i4", "UINT32": "<u4",
    "INT64": "<i8", "UINT64": "<u8", "BOOL": "?",
}  # fmt: skip
"""The numpy type of the stored elements of each type."""

LEAST = 1 << 20
"""The minimum limit on elements of vectors, without those of weights."""

MOST_TENSORS = 10 * MOST_NODES
LONGEST = 200  # characters of a name


class TfliteTensor(Struct, frozen=True):
    """A tensor: its shape with the batch, and its numbers if they are in the file."""

    name: str
    shape: Shape
    open: bool  # a size other than the batch is dynamic
    kind: str  # of its elements: FLOAT32, INT8, ...
    data: Any = None  # a view of the bytes in the file
    scales: Any = None  # the real value is (stored - zero) * scale
    zeros: Any = None
    axis: int = 0  # the axis of the scales, if there are several


class TfliteOperator(Struct, frozen=True):
    """An operator; tensors are indices, -1 is an omitted one."""

    kind: str  # CONV_2D, or the name of a custom operator
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any  # a table with methods, None if there are none

    def option(self, name: str, default: Any = 0) -> Any:
        """Return an option; missing ones have the schema's default."""
        method = getattr(self.options, name, None)
        return default if method is None else method()


class TfliteModel(Struct, frozen=True):
    """The main graph of a model."""

    tensors: list[TfliteTensor]
    operators: list[TfliteOperator]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def library() -> Any:
    """Return the package tflite. Raises UnavailableError if it is missing."""
    try:
        import tflite
    except ImportError as error:
        raise UnavailableError(
            "reading TensorFlow Lite needs the package tflite: pip install 'archscope[tflite]'"
        ) from error
    return tflite


def read(path: Path) -> TfliteModel:
    """Return the model of a file. Raises ArchscopeError for other or damaged files."""
    content = content_of(path)
    if content[4:8] != MAGIC:
        what = described(content[:BEGIN])
        but = f", but {what}" if what else ""
        raise DataError(f"is not a TensorFlow Lite model{but}")
    reader = _Reader(library(), content)
    return whole(reader.model)


def whole(read: Callable[[], T]) -> T:
    """Call a function that reads a part of a model. Raises DataError if that is damaged."""
    import struct

    try:
        return read()
    except (struct.error, ValueError, TypeError, IndexError, OverflowError, AttributeError):
        raise DataError("the file of TensorFlow Lite is damaged or cut short") from None


class _Reader:
    def __init__(self, tflite: Any, content: Content) -> None:
        self.tflite, self.content = tflite, content
        self.left = max(LEAST, len(content))  # elements of vectors, which may overlap
        words = {name: _words(getattr(tflite, name)) for name in ("TensorType", "BuiltinOperator")}
        self.types, self.codes = words["TensorType"], words["BuiltinOperator"]
        self.tables = _words(tflite.BuiltinOptions)

    def model(self) -> TfliteModel:
        """Return the main graph."""
        model = self.tflite.Model.GetRootAs(self.content, 0)
        if not self.count(model.SubgraphsLength()):
            raise DataError("the model has no graph")
        graph = model.Subgraphs(0)
        numbers = self.count(graph.TensorsLength())
        operators = self.count(graph.OperatorsLength())
        for count, most, what in (
            (numbers, MOST_TENSORS, "tensors"),
            (operators, MOST_NODES, "operators"),
        ):
            if count > most:
                raise LimitError(f"has {count} {what}, more than the limit of {most}")
        buffers = self.count(model.BuffersLength())
        tensors = [self.tensor(model, graph.Tensors(at), buffers) for at in range(numbers)]
        kinds = [self.kind(model.OperatorCodes(at))
                 for at in range(self.count(model.OperatorCodesLength()))]  # fmt: skip
        made = [self.operator(graph.Operators(at), kinds, numbers) for at in range(operators)]
        made = [op for op in made if op.outputs]  # others set variables
        ends = [self.places(graph, name, numbers) for name in ("Inputs", "Outputs")]
        return TfliteModel(tensors, made, *ends)

    def count(self, length: int) -> int:
        """Return the length of a vector, and subtract it from what may still be read."""
        self.left -= length
        if self.left < 0:
            raise ValueError("vectors longer than the file")
        return length

    def vector(self, table: Any, name: str) -> Any:
        """Return a vector of numbers as an array, empty if it is missing."""
        import numpy

        if not self.count(getattr(table, f"{name}Length")()):
            return numpy.zeros(0, numpy.int64)
        return getattr(table, f"{name}AsNumpy")()

    def places(self, table: Any, name: str, tensors: int) -> tuple[int, ...]:
        """Return indices of tensors."""
        found = tuple(self.vector(table, name).tolist())
        if not all(-1 <= place < tensors for place in found):
            raise ValueError("a tensor that there is not")
        return found

    def tensor(self, model: Any, table: Any, buffers: int) -> TfliteTensor:
        """Return a tensor. Raises DataError if its number of bytes is wrong."""
        shape = tuple(self.vector(table, "Shape").tolist())
        signature = self.vector(table, "ShapeSignature").tolist()
        name = _text(table.Name())
        kind = self.types.get(table.Type(), "")
        if any(size < 0 for size in shape):
            raise DataError(f"the tensor '{name}' has a size below 0: {text_of(shape)}")
        data = self.data(model, table.Buffer(), buffers)
        if data is not None and kind in STORED and table.Sparsity() is None:
            import numpy

            bits = 4 if kind == "INT4" else 8 * numpy.dtype(STORED[kind]).itemsize
            if data.size != -(-prod(shape) * bits // 8):
                raise DataError(
                    f"the tensor '{name}' of {text_of(shape) or 'one'} numbers of type {kind} has"
                    f" {data.size} bytes"
                )
        given: dict[str, Any] = {
            "name": name,
            "shape": shape,
            "open": any(size < 0 for size in signature[1:]),
        }
        if data is not None and table.Sparsity() is not None:
            kind = f"sparse {kind}"
        found = table.Quantization()
        if found is not None and self.count(found.ScaleLength()):
            scales, zeros = found.ScaleAsNumpy(), self.vector(found, "ZeroPoint")
            axis = found.QuantizedDimension()
            if scales.size > 1 and not (
                0 <= axis < len(shape) and scales.size == shape[axis]
                and zeros.size in (0, 1, scales.size)
            ):  # fmt: skip
                raise DataError(f"the tensor '{name}' has scales that do not fit its shape")
            given |= {"scales": scales, "zeros": zeros, "axis": axis}
        return TfliteTensor(kind=kind, data=data, **given)

    def data(self, model: Any, place: int, buffers: int) -> Any:
        """Return the bytes of a buffer as an array, None if it has none."""
        import numpy

        if not place < buffers:
            raise ValueError("a buffer that there is not")
        buffer = model.Buffers(place)
        if buffer.Offset() > 1:  # after the flatbuffer, in files of more than 2 GB
            return numpy.frombuffer(self.content, numpy.uint8, buffer.Size(), buffer.Offset())
        return buffer.DataAsNumpy() if buffer.DataLength() else None

    def kind(self, table: Any) -> str:
        """Return the name of an operator code, which older files store in a single byte."""
        code = max(table.BuiltinCode(), table.DeprecatedBuiltinCode())
        name = self.codes.get(code, f"operator {code}")
        return _text(table.CustomCode()) or "CUSTOM" if name == "CUSTOM" else name

    def operator(self, table: Any, kinds: list[str], tensors: int) -> TfliteOperator:
        """Return an operator."""
        inputs, outputs = (self.places(table, name, tensors) for name in ("Inputs", "Outputs"))
        if min(outputs, default=0) < 0:
            raise ValueError("an operator that gives a tensor that there is not")
        options, name = None, self.tables.get(table.BuiltinOptionsType(), "NONE")
        found = table.BuiltinOptions()
        if found is not None and hasattr(self.tflite, name):
            options = getattr(self.tflite, name)()
            options.Init(found.Bytes, found.Pos)
        return TfliteOperator(kinds[table.OpcodeIndex()], inputs, outputs, options)


def _words(constants: Any) -> dict[int, str]:
    return {value: name for name, value in vars(constants).items() if isinstance(value, int)}


def _text(name: bytes | None) -> str:
    """Return a printable form of a name in the file."""
    return re.sub(r"[^ -~]", "?", (name or b"")[:LONGEST].decode("utf-8", "replace"))
