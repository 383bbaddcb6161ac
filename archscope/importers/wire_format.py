"""Read the fields of messages of protocol buffers where they lie, without copying their content.

The format is that of https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from archscope.errors import LimitError
from archscope.importers.file_content import Content

FIELDS = 4_000_000
"""The maximum number of fields that are read of a file."""

VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5


class WireField(Struct, frozen=True, gc=False):
    """A field of a message, and where it is in the file."""

    number: int
    kind: int  # how its value is encoded
    begin: int  # of its tag
    start: int  # of what is in it, after its length if it has one
    stop: int
    value: int = 0  # of a varint


class WireReader:
    """Reads the fields of messages in a file, at most `FIELDS` in all."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self.left = FIELDS

    def fields(self, start: int, stop: int) -> Iterator[WireField]:
        """Yield the fields of the message between two positions.

        Raises ValueError if they are not a message, LimitError if there are too many.
        """
        at = start
        while at < stop:
            self.left -= 1
            if self.left < 0:
                raise LimitError(f"has more fields than the limit of {FIELDS:,}")
            begin = at
            tag, at = self.varint(at)
            kind, value, inside = tag & 7, 0, at
            if kind == VARINT:
                value, at = self.varint(at)
            elif kind == LENGTH:
                length, inside = self.varint(at)
                at = inside + length
            elif kind in (EIGHT_BYTES, FOUR_BYTES):
                at += 8 if kind == EIGHT_BYTES else 4
            else:
                raise ValueError(f"a field of kind {kind}")
            if at > stop:
                raise ValueError("a field that ends after its message")
            yield WireField(tag >> 3, kind, begin, inside, at, value)

    def varint(self, at: int) -> tuple[int, int]:
        """Return a varint and the position after it. Raises ValueError."""
        value = shift = 0
        while shift < 70 and at < len(self.content):
            byte = self.content[at]
            value |= (byte & 127) << shift
            at, shift = at + 1, shift + 7
            if byte < 128:
                return value, at
        raise ValueError("a number without an end")
