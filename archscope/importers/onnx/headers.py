"""Read the structure of a large ONNX file without its weights, which stay in the file.

Protobuf parses a whole message and copies its content. Here, the few fields that lead to
tensors are followed in the file itself, and the numbers of each large tensor are replaced by
ONNX's notation for external data: location, offset, length. The numbers of the fields are those
of onnx.proto.
"""

from __future__ import annotations

from archscope.importers.file_content import Content
from archscope.importers.wire_format import LENGTH, VARINT, WireReader

LARGE = 1 << 12
"""Fields of at least this many bytes are followed, and data of this size stay in the file."""

DEPTH = 64
"""The maximum nesting depth of messages."""

INSIDE = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph"},
}
"""The fields of each message that lead to tensors, and their message types."""

DATA_TYPE, FLOAT_DATA, RAW_DATA, EXTERNAL_DATA, DATA_LOCATION = 2, 4, 9, 13, 14
FLOAT = EXTERNAL = 1


def without_numbers(content: Content, location: str) -> bytes:
    """Return a serialised model whose large tensors refer to their data in the file.

    `location` is the name of the file with this content. Raises ValueError for what is not
    protobuf, LimitError for too many fields.
    """
    return b"".join(_Walk(content, location).message("model", 0, len(content), 0))


class _Walk:
    def __init__(self, content: Content, location: str) -> None:
        self.content, self.location = content, location
        self.fields = WireReader(content).fields

    def message(self, kind: str, start: int, stop: int, depth: int) -> list[bytes]:
        """Return a message in parts, with nested tensors without their data."""
        parts: list[bytes] = []
        kept = start
        for field in self.fields(start, stop):
            inner = INSIDE[kind].get(field.number)
            large = field.kind == LENGTH and field.stop - field.start >= LARGE
            if inner is None or not large or depth == DEPTH:
                continue
            if inner == "tensor":
                made = self.tensor(field.start, field.stop)
            else:
                made = self.message(inner, field.start, field.stop, depth + 1)
            parts.append(self.content[kept : field.begin])
            parts.append(_header(field.number, sum(map(len, made))))
            parts += made
            kept = field.stop
        parts.append(self.content[kept:stop])
        return parts

    def tensor(self, start: int, stop: int) -> list[bytes]:
        """Return a tensor with the location of its data, unchanged if in several fields."""
        fields = list(self.fields(start, stop))
        floats = any(field.number == DATA_TYPE and field.value == FLOAT for field in fields)
        data = [
            field
            for field in fields
            if field.number == RAW_DATA or (field.number == FLOAT_DATA and floats)
        ]
        large = [field for field in data if field.stop - field.start >= LARGE]
        elsewhere = any(f.number == DATA_LOCATION and f.value == EXTERNAL for f in fields)
        if len(data) != 1 or not large or large[0].kind != LENGTH or elsewhere:
            return [self.content[start:stop]]
        (numbers,) = large
        dropped = (numbers.number, EXTERNAL_DATA, DATA_LOCATION)
        parts = [self.content[f.begin : f.stop] for f in fields if f.number not in dropped]
        place = {
            "location": self.location,
            "offset": str(numbers.start),
            "length": str(numbers.stop - numbers.start),
        }
        for key, word in place.items():
            entry = b"".join(
                _header(number, len(text)) + text
                for number, text in ((1, key.encode()), (2, word.encode()))
            )
            parts.append(_header(EXTERNAL_DATA, len(entry)) + entry)
        parts.append(_varint(DATA_LOCATION << 3 | VARINT) + _varint(EXTERNAL))
        return parts


def _header(number: int, length: int) -> bytes:
    return _varint(number << 3 | LENGTH) + _varint(length)


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    made.append(value)
    return bytes(made)
