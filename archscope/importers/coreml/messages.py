"""Read messages of protocol buffers as the tables of their fields say.

A field is written as its number, its name and its kind: nothing for whole numbers, `f` and `d` for
numbers of 4 and 8 bytes, `s` for a name, `t` for other text, `b` for bytes, `F` for many numbers,
or the name of another message. Bytes and many numbers stay in the file: their value is where they
are.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from archscope.errors import DataError, LimitError
from archscope.importers.file_content import Content
from archscope.importers.wire_format import (
    EIGHT_BYTES,
    FOUR_BYTES,
    LENGTH,
    VARINT,
    WireField,
    WireReader,
)

Fields = dict[int, tuple[str, str]]
Place = tuple[int, int]
"""Where bytes start and stop."""

MOST_DEPTH = 64
MOST_PACKED = 1 << 24
"""The bytes of numbers that are read at once; weights are not."""

SIGNED = 1 << 63


def fields(text: str, own: bool = False) -> Fields:
    """Return fields written as `number name kind`, separated by commas.

    With `own`, each is a message of its name.
    """
    found: Fields = {}
    for entry in text.split(","):
        number, name, *kind = entry.split()
        found[int(number)] = name, name if own else "".join(kind)
    return found


class Message:
    """The values of a message, by the names of its fields, absent ones as their defaults."""

    def __init__(self, content: Content, values: dict[str, list[Any]]) -> None:
        self.content, self.values = content, values

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def integer(self, name: str, default: int = 0) -> int:
        """Return a whole number; zero is not written, and is the default where there is one."""
        return int(self.values.get(name, [0])[-1]) or default

    def flag(self, name: str) -> bool:
        """Return whether a field is true."""
        return bool(self.integer(name))

    def integers(self, name: str) -> list[int]:
        """Return whole numbers."""
        return list(self.values.get(name, ()))

    def number(self, name: str, default: float = 0.0) -> float:
        """Return a number; zero is not written, and is the default where there is one."""
        return float(self.values.get(name, [0.0])[-1]) or default

    def numbers(self, name: str) -> list[float]:
        """Return numbers."""
        return list(self.values.get(name, ()))

    def text(self, name: str) -> str:
        """Return a text."""
        return str(self.values.get(name, [""])[-1])

    def texts(self, name: str) -> list[str]:
        """Return texts."""
        return list(self.values.get(name, ()))

    def message(self, name: str) -> Message:
        """Return a message, an empty one if it is absent."""
        found = self.values.get(name)
        return found[-1] if found else Message(self.content, {})

    def messages(self, name: str) -> list[Message]:
        """Return messages."""
        return list(self.values.get(name, ()))

    def entries(self, name: str) -> dict[str, Message]:
        """Return the values of a map, by key."""
        return {entry.text("key"): entry.message("value") for entry in self.messages(name)}

    def places(self, name: str) -> list[Place]:
        """Return where bytes or many numbers are."""
        return list(self.values.get(name, ()))


class MessageReader:
    """Reads the messages of a file, by the tables of their fields."""

    def __init__(self, content: Content, tables: Mapping[str, Fields]) -> None:
        self.content, self.tables = content, tables
        self.wire = WireReader(content)

    def read(self, kind: str) -> Message:
        """Read the file as one message. Raises ValueError, DataError or LimitError."""
        return self._message(kind, 0, len(self.content), 0)

    def _message(self, kind: str, start: int, stop: int, depth: int) -> Message:
        if depth > MOST_DEPTH:
            raise LimitError(f"its messages are nested deeper than the limit of {MOST_DEPTH}")
        table = self.tables.get(kind, {})
        values: dict[str, list[Any]] = {}
        for field in self.wire.fields(start, stop):
            if field.number not in table:
                if kind == "layer" and field.number >= FIRST_LAYER:
                    values.setdefault(f"layer{field.number}", []).append(Message(self.content, {}))
                continue
            name, inner = table[field.number]
            found = values.setdefault(name, [])
            if inner in SIMPLE:
                self._values(field, inner, found)
            elif field.kind != LENGTH:
                raise ValueError(f"a message of kind {field.kind}")
            else:
                found.append(self._message(inner, field.start, field.stop, depth + 1))
        return Message(self.content, values)

    def _values(self, field: WireField, kind: str, found: list[Any]) -> None:
        """Append the values of a field: several if it is packed. Raises ValueError."""
        if kind not in "bF" and field.stop - field.start > MOST_PACKED:
            raise ValueError("more numbers than a setting has")
        if kind == "" and field.kind == VARINT:
            found.append(_signed(field.value))
        elif kind == "" and field.kind == LENGTH:
            at = field.start
            while at < field.stop:
                value, at = self.wire.varint(at)
                found.append(_signed(value))
        elif kind in "fF" and field.kind in (LENGTH, FOUR_BYTES):
            if (field.stop - field.start) % 4:
                raise ValueError("a number that ends within its bytes")
            if kind == "F":
                found.append((field.start, field.stop))
            else:
                found += _floats("<f", self.content, field)
        elif kind == "d" and field.kind in (LENGTH, EIGHT_BYTES):
            found += _floats("<d", self.content, field)
        elif kind == "b" and field.kind == LENGTH:
            found.append((field.start, field.stop))
        elif kind in "st" and field.kind == LENGTH:
            text = bytes(self.content[field.start : field.stop]).decode("utf-8", "replace")
            if kind == "s" and not text.isprintable():
                raise DataError(f"{text[:60]!r} is not a name")
            found.append(text)
        else:
            raise ValueError(f"a field of kind {field.kind}")


SIMPLE = frozenset({"", "f", "d", "s", "t", "b", "F"})
FIRST_LAYER = 100
"""The first field of a layer that is its kind."""


def _floats(form: str, content: Content, field: WireField) -> list[float]:
    size = struct.calcsize(form)
    if (field.stop - field.start) % size:
        raise ValueError("a number that ends within its bytes")
    return [value for (value,) in struct.iter_unpack(form, content[field.start : field.stop])]


def _signed(value: int) -> int:
    """Return the number that a varint of 64 bits means."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >= SIGNED else value
