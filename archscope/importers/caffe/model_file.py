"""Read a `.caffemodel`: the layers of a network, and the numbers that each has learned."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from msgspec import Struct

from archscope.errors import DataError, UnavailableError
from archscope.importers.caffe.definition import kind_of
from archscope.importers.caffe.schema import (
    BLOBS,
    EXTENSIONS,
    MESSAGES,
    OF_DATA,
    OLD_TYPES,
    Fields,
)
from archscope.importers.caffe.text_format import Message
from archscope.importers.file_content import content_of
from archscope.importers.wire_format import (
    FOUR_BYTES,
    LENGTH,
    VARINT,
    WireField,
    WireReader,
)
from archscope.ops.foreign import round_float
from archscope.signatures import BEGIN, described

UNKNOWN = "field "
"""How the names of fields begin that caffe.proto does not have: those of forks."""

DISPUTED = range(137, 100_000)
"""Fields of layers that forks use for others than Caffe does."""

MOST_PACKED = 1 << 16  # bytes of the numbers of a setting
SIGNED = 1 << 63
BLOB_SHAPE, SIDES = 7, range(1, 5)  # num, channels, height and width, of older files
NUMBERS = {5: "<f4", 8: "<f8"}
GRADIENTS = (6, 9)


class Blob(Struct, frozen=True):
    """The numbers of a layer: their sizes, and where they are in the file."""

    shape: tuple[int, ...]
    places: list[tuple[str, int, int]]  # type, start and stop
    strange: int  # a field of a fork that has the numbers in another form, 0 without

    def array(self, content: Any) -> Any:
        """Return the numbers as float32 of the blob's shape. Raises ValueError."""
        import numpy

        if self.strange:
            raise ValueError("are in a form of a fork of Caffe")
        parts = [
            numpy.frombuffer(content, kind, (stop - start) // int(kind[-1]), start)
            for kind, start, stop in self.places
        ]
        numbers = numpy.concatenate(parts) if parts else numpy.zeros(0, "<f4")
        if len(numbers) != prod(self.shape) or min(self.shape, default=0) < 0:
            shape = "x".join(map(str, self.shape)) or "1"
            raise ValueError(f"are {len(numbers)}, their sizes are {shape}")
        return numbers.astype("<f4").reshape(self.shape)


class ModelFile:
    """The layers of a file as a definition, and the numbers of each by its name."""

    def __init__(self, path: Path) -> None:
        """Read the layers. Raises UnavailableError, DataError or LimitError."""
        self.path = path
        try:
            self.content = content_of(path)
        except UnavailableError as error:
            raise UnavailableError(f"{path.as_posix()}: {error}") from None
        self.wire = WireReader(self.content)
        self.blobs: dict[str, list[WireField]] = {}
        try:
            self.net = self._message("net", 0, len(self.content))
        except ValueError:
            what = described(bytes(self.content[:BEGIN]))
            raise DataError(
                f"{path.as_posix()}: is no model of Caffe" + (f" but {what}" if what else "")
            ) from None
        if not ("layer" in self.net or "layers" in self.net):
            raise DataError(f"{path.as_posix()}: is no model of Caffe: it has no layers")

    def arrays(self, layer: str) -> list[Any] | None:
        """Return the arrays of a layer, None if there is none of that name. Raises DataError."""
        if layer not in self.blobs:
            return None
        try:
            return [self._blob(field).array(self.content) for field in self.blobs[layer]]
        except ValueError as error:
            raise DataError(
                f"{self.path.as_posix()}: the numbers of layer '{layer[:60]}' {error}"
            ) from None

    def _message(self, kind: str, start: int, stop: int) -> Message:
        """Return the message of a kind between two positions. Raises ValueError."""
        found = Message(self.path.as_posix(), 0, {})
        fields = list(self.wire.fields(start, stop))
        table = self._layer_table(fields) if kind == "layer" else MESSAGES[kind]
        blobs = []
        for field in fields:
            name, _, inner = table.get(field.number, "").partition(" ")
            if name == BLOBS:
                blobs.append(field)
            elif name and inner != "-":
                values = ((value, 0) for value in self._values(field, inner))
                found.fields.setdefault(name, []).extend(values)
            elif not name and kind not in OF_DATA:
                found.fields[f"{UNKNOWN}{field.number}"] = [(field.number, 0)]
        if kind == "old_layer" and "type" in found:
            found.fields["type"] = [
                (OLD_TYPES.get(number, f"type {number}"), 0) for number in found.integers("type")
            ]
        if blobs:
            self.blobs[found.text("name")] = blobs
        return found

    def _layer_table(self, fields: list[WireField]) -> Fields:
        """Return the fields of a layer, some of which depend on its type."""
        types = (field for field in fields if field.number == 2 and field.kind == LENGTH)
        kind = kind_of("".join(self._text(field) for field in types))
        table = dict(MESSAGES["layer"])
        for number in {field.number for field in fields if field.number in DISPUTED}:
            name = table.pop(number, "").partition(" ")[0]
            if name.removesuffix("_param").replace("_", "") == kind:
                table[number] = MESSAGES["layer"][number]
            elif (kind, number) in EXTENSIONS:
                table[number] = EXTENSIONS[kind, number]
        return table

    def _values(self, field: WireField, kind: str) -> Iterator[Any]:
        """Yield the values of a field: several if it is packed. Raises ValueError."""
        if kind in "if" and field.stop - field.start > MOST_PACKED:
            raise ValueError("more numbers than a setting has")
        if kind == "s":
            yield self._text(field)
        elif kind == "i" and field.kind == VARINT:
            yield _signed(field.value)
        elif kind == "i" and field.kind == LENGTH:
            at = field.start
            while at < field.stop:
                value, at = self.wire.varint(at)
                yield _signed(value)
        elif kind == "f" and field.kind in (LENGTH, FOUR_BYTES):
            for (value,) in struct.iter_unpack("<f", self.content[field.start : field.stop]):
                yield round_float(value)
        elif kind in MESSAGES and field.kind == LENGTH:
            yield self._message(kind, field.start, field.stop)
        else:
            raise ValueError(f"a field of kind {field.kind}")

    def _text(self, field: WireField) -> str:
        if field.kind != LENGTH:
            raise ValueError("a text without a length")
        return bytes(self.content[field.start : field.stop]).decode("utf-8", "replace")

    def _blob(self, blob: WireField) -> Blob:
        """Return where the numbers of a blob are. Raises ValueError."""
        sides, sizes = dict.fromkeys(SIDES, 0), None
        places: list[tuple[str, int, int]] = []
        strange = 0
        for field in self.wire.fields(blob.start, blob.stop):
            if field.number in SIDES:
                sides[field.number] = _signed(field.value)
            elif field.number == BLOB_SHAPE:
                shape = self._message("shape", field.start, field.stop)
                sizes = tuple(shape.integers("dim"))
            elif field.number in NUMBERS:
                kind = NUMBERS[field.number]
                if (field.stop - field.start) % int(kind[-1]):
                    raise ValueError("end within one of them")
                places.append((kind, field.start, field.stop))
            elif field.number not in GRADIENTS:
                strange = field.number
        return Blob(tuple(sides.values()) if sizes is None else sizes, places, strange)


def foreign_field(message: Message) -> str:
    """Return a field of a layer that Caffe does not have, "" if there is none."""
    for name, values in message.fields.items():
        if name.startswith(UNKNOWN):
            return name
        for value, _ in values:
            if isinstance(value, Message) and (found := foreign_field(value)):
                return found
    return ""


def _signed(value: int) -> int:
    """Return the number that a varint of 64 bits means."""
    return value - (1 << 64) if value >= SIGNED else value
