"""The numbers of a model: where they are stored, as tensors of ONNX and as arrays."""

from __future__ import annotations

import struct
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

from msgspec import Struct

from archscope.errors import DataError, LimitError, UnavailableError
from archscope.importers.coreml.messages import Message, Place
from archscope.importers.file_content import Content, content_of
from archscope.importers.onnx.limits import COMPUTED_BYTES
from archscope.importers.onnx.model_file import library
from archscope.importers.onnx.tensor_data import TensorData


class ElementType(Struct, frozen=True):
    """A type of numbers: its number in ONNX, its name in numpy, and the bits of a stored one."""

    onnx: int
    numpy: str
    bits: int


TYPES = {
    1: ElementType(9, "bool", 8), 10: ElementType(10, "float16", 16),
    11: ElementType(1, "float32", 32), 12: ElementType(11, "float64", 64),
    13: ElementType(16, "", 16), 21: ElementType(3, "int8", 8), 22: ElementType(5, "int16", 16),
    23: ElementType(6, "int32", 32), 24: ElementType(7, "int64", 64),
    25: ElementType(22, "int8", 4), 31: ElementType(2, "uint8", 8),
    32: ElementType(4, "uint16", 16), 33: ElementType(12, "uint32", 32),
    34: ElementType(13, "uint64", 64), 35: ElementType(21, "uint8", 4),
    36: ElementType(2, "uint8", 2), 37: ElementType(2, "uint8", 1), 38: ElementType(2, "uint8", 6),
    39: ElementType(2, "uint8", 3), 40: ElementType(17, "", 8), 41: ElementType(19, "", 8),
}  # fmt: skip
"""The types of programs, by their numbers."""

TEXT = 2
"""The type of texts."""

BYTES, NIBBLES, FLOAT16, FLOAT32 = TYPES[31], TYPES[35], TYPES[10], TYPES[11]

INDEX = 7
"""ONNX's type of sizes and indices, the only one that is written for them."""

INDICES = frozenset({5, 4, 6, 12, 7, 13})
"""ONNX's types of whole numbers that sizes and indices have in programs."""

SENTINEL = 0xDEADBEEF
HEADER = struct.Struct("<IIQQQ")
"""What is before numbers in a file of weights: a mark, their type, size, place and padding."""

MODEL_PATH = "@model_path/"


class Stored(Struct):
    """Numbers of a type and shape, and where they are."""

    kind: ElementType
    shape: tuple[int, ...]
    read: Callable[[], Any]  # an array of the type's numpy
    place: tuple[str, int, int] | None = (
        None  # file, offset and length, if they are there as they are
    )

    @property
    def size(self) -> int:
        """The number of numbers."""
        return prod(self.shape)

    @property
    def is_index(self) -> bool:
        """Whether these are sizes or indices."""
        return self.kind.onnx in INDICES


def of_array(array: Any, kind: ElementType) -> Stored:
    """Return numbers that are computed."""
    return Stored(kind, tuple(array.shape), lambda: array)


def unpacked(
    content: Any, bits: int, count: int, first_high: bool = False, signed: bool = False
) -> Any:
    """Return numbers of a few bits as bytes; the lowest bits come first, or the highest."""
    import numpy

    packed = numpy.frombuffer(content, numpy.uint8)
    flat = numpy.unpackbits(packed, bitorder="big" if first_high else "little")
    rows = flat[: count * bits].reshape(count, bits)
    powers = 1 << numpy.arange(bits)
    numbers = rows @ (powers[::-1] if first_high else powers)
    if signed:
        numbers = numpy.where(numbers >= 1 << (bits - 1), numbers - (1 << bits), numbers)
    return numbers.astype(numpy.int8 if signed else numpy.uint8)


class WeightStore:
    """Reads the numbers of a model, from its file and from files beside it."""

    def __init__(self, path: Path, content: Content) -> None:
        self.folder, self.own = path.parent, path.name
        self.onnx = library()
        self.data = TensorData(self.onnx, path, content)
        self.left = COMPUTED_BYTES

    def tensor(self, stored: Stored, name: str) -> Any:
        """Return numbers as a tensor of ONNX, which is read when it is used."""
        kind, shape = stored.kind, stored.shape
        if stored.place is None or kind.bits not in (4, 8, 16, 32, 64):
            self.take(stored.size * max(kind.bits // 8, 1))
            array = stored.read()
            if kind.bits == 4:
                flat = array.reshape(-1).tolist()
                return self.onnx.helper.make_tensor(name, kind.onnx, shape, flat)
            return self.onnx.numpy_helper.from_array(array, name)
        made = self.onnx.TensorProto(name=name, data_type=kind.onnx, dims=shape)
        made.data_location = self.onnx.TensorProto.EXTERNAL
        for key, value in zip(("location", "offset", "length"), stored.place, strict=True):
            made.external_data.add(key=key, value=str(value))
        return made

    def take(self, count: int) -> None:
        """Take bytes for numbers that are computed. Raises LimitError if there are too many."""
        self.left -= count
        if self.left < 0:
            raise LimitError(
                f"its compressed weights take more than the limit of {COMPUTED_BYTES:,} bytes"
            )

    def at(self, location: str, place: Place, kind: ElementType, shape: tuple[int, ...]) -> Stored:
        """Return numbers that lie in a file. Raises DataError if it has not as many."""
        start, stop = place
        count = prod(shape)
        if min(shape, default=0) < 0 or stop - start != -(-count * kind.bits // 8):
            raise DataError(
                f"numbers of the shape {'x'.join(map(str, shape))[:60] or '1'} take"
                f" {stop - start} bytes, expected {-(-count * kind.bits // 8)}"
            )

        def read() -> Any:
            import numpy

            content = self.content(location)
            if kind.bits < 8:
                signed = kind.numpy.startswith("i")
                self.take(count)
                return unpacked(content[start:stop], kind.bits, count, signed=signed).reshape(shape)
            if not kind.numpy:
                made = self.onnx.TensorProto(data_type=kind.onnx, dims=shape)
                made.raw_data = content[start:stop]
                return self.onnx.numpy_helper.to_array(made)
            return numpy.frombuffer(content, kind.numpy, count, start).reshape(shape)

        return Stored(kind, shape, read, (location, start, stop - start))

    def content(self, location: str) -> Content:
        """Return the content of a file beside the model. Raises ArchscopeError."""
        if location not in self.data.contents:
            path = self.folder / location
            try:
                inside = path.resolve().is_relative_to(self.folder.resolve())
            except (OSError, ValueError):
                inside = False
            if not inside:
                raise DataError(f"its weights are in '{location[:60]}', outside of the model")
            try:
                self.data.contents[location] = content = content_of(path)
            except UnavailableError as error:
                raise UnavailableError(f"its weights are in '{location[:60]}': {error}") from None
            self.data.left += len(content)
        return self.data.contents[location]

    # The values of programs.

    def value(self, value: Message) -> Stored | list[str]:
        """Return the value of a constant in a program: numbers, or texts, of lists none."""
        if "tensorType" not in value.message("type"):
            return []
        kind, shape = tensor_type(value.message("type"))
        if "blobFileValue" in value:
            return self._blob(value.message("blobFileValue"), TYPES[kind], shape)
        tensor = value.message("immediateValue").message("tensor")
        if kind == TEXT:
            return tensor.message("strings").texts("values")
        return self._immediate(tensor, TYPES[kind], shape)

    def _blob(self, blob: Message, kind: ElementType, shape: tuple[int, ...]) -> Stored:
        location = blob.text("fileName").removeprefix(MODEL_PATH)
        content, offset = self.content(location), blob.integer("offset")
        if not 0 <= offset <= len(content) - HEADER.size:
            raise DataError(
                f"its weights are said to be at {offset} of '{location[-60:]}', which has"
                f" {len(content)} bytes"
            )
        mark, _, size, start, _ = HEADER.unpack(content[offset : offset + HEADER.size])
        if mark != SENTINEL or start + size > len(content):
            raise DataError(f"'{location[-60:]}' has no weights at {offset}, or is truncated")
        return self.at(location, (start, start + size), kind, shape)

    def _immediate(self, tensor: Message, kind: ElementType, shape: tuple[int, ...]) -> Stored:
        if "bytes" in tensor:
            (place,) = tensor.message("bytes").places("values")
            return self.at(self.own, place, kind, shape)
        if "floats" in tensor:
            return self.floats(tensor.message("floats").places("values"), shape)
        words = ("ints", "bools", "longInts", "doubles")
        lists = (tensor.message(word).integers("values") for word in words if word in tensor)
        numbers = next(lists, [])
        if len(numbers) != prod(shape):
            raise DataError(f"a constant has {len(numbers)} numbers, expected {prod(shape)}")

        def read() -> Any:
            import numpy

            return numpy.array(numbers).astype(kind.numpy).reshape(shape)

        return Stored(kind, shape, read)

    def floats(self, places: list[Place], shape: tuple[int, ...]) -> Stored:
        """Return numbers in single precision that lie in the model's own file."""
        if len(places) == 1:
            return self.at(self.own, places[0], FLOAT32, shape)
        if sum(stop - start for start, stop in places) != 4 * prod(shape):
            raise DataError("a constant has not as many numbers as its shape")

        def read() -> Any:
            import numpy

            content = self.content(self.own)
            parts = [numpy.frombuffer(content, "<f4", (stop - start) // 4, start)
                     for start, stop in places]  # fmt: skip
            return numpy.concatenate(parts).reshape(shape)

        return Stored(FLOAT32, shape, read)


def tensor_type(kind: Message) -> tuple[int, tuple[int, ...]]:
    """Return the type of a value in a program and its shape, -1 for axes of any size."""
    while "stateType" in kind:
        kind = kind.message("stateType").message("wrappedType")
    tensor = kind.message("tensorType")
    dims = tuple(
        axis.message("constant").integer("size") if "constant" in axis else -1
        for axis in tensor.messages("dimensions")
    )
    word = tensor.integer("dataType")
    if word not in TYPES and word != TEXT:
        raise DataError(f"a value has the type {word}, which is not known")
    return word, dims
