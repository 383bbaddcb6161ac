"""The file of weights of an IR, and the types of its numbers."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

from msgspec import Struct

from archscope.errors import DataError, UnavailableError
from archscope.importers.onnx.model_file import library
from archscope.importers.onnx.tensor_data import TensorData
from archscope.importers.openvino.ir_file import Layer


class ElementType(Struct, frozen=True):
    """A type of numbers: its number in ONNX, and its bits."""

    onnx: int
    bits: int
    whole: bool = False


TYPES = {
    "f32": ElementType(1, 32), "f16": ElementType(10, 16), "bf16": ElementType(16, 16),
    "f64": ElementType(11, 64), "f8e4m3": ElementType(17, 8), "f8e5m2": ElementType(19, 8),
    "u8": ElementType(2, 8, True), "i8": ElementType(3, 8, True), "u4": ElementType(21, 4, True),
    "i4": ElementType(22, 4, True), "boolean": ElementType(9, 8),
    "u16": ElementType(4, 16, True), "i16": ElementType(5, 16, True),
    "i32": ElementType(6, 32), "u32": ElementType(12, 32), "i64": ElementType(7, 64),
    "u64": ElementType(13, 64),
}  # fmt: skip
"""By the names in attributes; ports have others, such as FP16."""

TYPES |= {
    "fp32": TYPES["f32"], "fp16": TYPES["f16"], "fp64": TYPES["f64"], "bool": TYPES["boolean"]
}  # fmt: skip

INDICES = frozenset({"i32", "u32", "i64", "u64"})
"""Types of sizes and indices, for which ONNX has one type."""

QUANTIZED = frozenset({"u8", "i8", "u4", "i4", "u16", "i16"})
"""Types of quantized numbers."""

INDEX = 7
"""ONNX's type of sizes and indices."""

UNSOLVED = frozenset({INDEX, TYPES["i32"].onnx, TYPES["u32"].onnx, TYPES["u64"].onnx})
"""ONNX's numbers of these types."""

PLACEHOLDER = 0.7
"""What stands for each weight of a missing file: neither the zero nor the one of no weight."""


def onnx_type(word: str) -> int:
    """Return the number of a type in ONNX. Raises KeyError."""
    return INDEX if word.lower() in INDICES else TYPES[word.lower()].onnx


class _Missing(TensorData):
    """Gives tensors of a file that is missing: their shapes are known, their numbers are not."""

    def array(self, tensor: Any) -> Any:
        """Return a tensor. Raises UnavailableError for sizes and indices of the missing file."""
        import numpy

        if not self.is_external(tensor):
            return super().array(tensor)
        dtype = self.onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
        if tensor.data_type in UNSOLVED:
            location = next(entry.value for entry in tensor.external_data)
            raise UnavailableError(
                f"the numbers of '{tensor.name[-60:]}' are in '{location}', which is missing"
            )
        number = numpy.array(PLACEHOLDER if dtype.kind in "fV" else 1).astype(dtype)
        return numpy.broadcast_to(number, tuple(tensor.dims))


class WeightsFile:
    """Reads the constants of an IR where they are needed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.missing = not path.exists()
        reader = _Missing if self.missing else TensorData
        self.data = reader(library(), path.with_suffix(".xml"), b"")

    def tensor(self, entry: Layer, name: str) -> tuple[Any, Callable[[], Any]]:
        """Return a constant as a tensor of ONNX, and the function that reads its numbers."""
        onnx = library()
        word = entry.attributes["element_type"].lower()
        if word not in TYPES:
            raise DataError(
                f"line {entry.line}: {entry} has numbers of the type {word[:20]},"
                f" expected one of {', '.join(sorted(TYPES))}"
            )
        shape = [int(part) for part in entry.attributes["shape"].split(",") if part.strip()]
        offset, size = (int(entry.attributes[key]) for key in ("offset", "size"))
        expected = -(-prod(shape) * TYPES[word].bits // 8)
        if size != expected or min(offset, *shape, 0) < 0:
            raise DataError(
                f"line {entry.line}: {entry} of the shape {entry.attributes['shape'][:60]} is"
                f" said to take {size} bytes, expected {expected}"
            )
        made = onnx.TensorProto(name=name, data_type=TYPES[word].onnx, dims=shape)
        made.data_location = onnx.TensorProto.EXTERNAL
        place = {"location": self.path.name, "offset": offset, "length": size}
        for key, value in place.items():
            made.external_data.add(key=key, value=str(value))
        if word not in INDICES or self.missing:
            return made, lambda: self._read(made)
        # Sizes and indices have a single type in ONNX.
        array = self._read(made).astype("int64")
        return onnx.numpy_helper.from_array(array, name), lambda: array

    def _read(self, tensor: Any) -> Any:
        try:
            return self.data.array(tensor)
        except ValueError as error:
            raise DataError(f"the weights '{tensor.name}' are broken: {error}") from None
