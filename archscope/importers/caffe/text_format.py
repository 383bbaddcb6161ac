"""Parse protocol buffers in text format, as far as definitions of networks use it.

Google's own parser needs the schema, and hundreds of forks of Caffe have their own; this parser
accepts any field, so that definitions for any fork can be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from msgspec import Struct

from archscope.errors import LimitError, SpecError, did_you_mean, quoted, shortened
from archscope.ir import Source

DEEPEST = 64
TOKEN = re.compile(
    r"""[ \t\r\f\v]+|\#[^\n]*|(?P<line>\n)
    |(?P<word>[A-Za-z_][A-Za-z0-9_./]*)
    |(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?f?)
    |(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<sign>[{}<>:\[\],;])""",
    re.VERBOSE,
)
CLOSES = {"{": "}", "<": ">"}


def line_of(file: str, line: int) -> Source | str:
    """Return a line of a file, or the file for line 0, as in binary files."""
    return Source(file, line, 1) if line else file


class Message(Struct):
    """A message: the values of each field in order, with their lines, 0 in binary files."""

    file: str
    line: int
    fields: dict[str, list[tuple[Any, int]]]

    def __contains__(self, name: str) -> bool:
        return name in self.fields

    def all(self, name: str) -> list[Any]:
        """Return all values of a field."""
        return [value for value, _ in self.fields.get(name, ())]

    def message(self, name: str) -> Message:
        """Return a field that is a message, empty if it is missing."""
        found = self.messages(name)
        return found[-1] if found else Message(self.file, self.line, {})

    def messages(self, name: str) -> list[Message]:
        """Return a repeated field of messages. Raises SpecError."""
        return self._checked(name, lambda value: isinstance(value, Message), "a message { }")

    def texts(self, name: str) -> list[str]:
        """Return a repeated field of names or words. Raises SpecError."""
        return self._checked(name, lambda value: isinstance(value, str), "a text")

    def text(self, name: str, default: str = "") -> str:
        """Return a field that is a text or a word. Raises SpecError."""
        return (self.texts(name) or [default])[-1]

    def integers(self, name: str) -> list[int]:
        """Return a repeated field of whole numbers. Raises SpecError."""
        return self._checked(name, lambda value: type(value) is int, "a whole number")

    def integer(self, name: str, default: int) -> int:
        """Return a field that is a whole number. Raises SpecError."""
        return (self.integers(name) or [default])[-1]

    def numbers(self, name: str) -> list[float]:
        """Return a repeated field of numbers. Raises SpecError."""
        return self._checked(name, lambda value: isinstance(value, int | float), "a number")

    def number(self, name: str, default: float) -> float:
        """Return a field that is a number. Raises SpecError."""
        return (self.numbers(name) or [default])[-1]

    def flag(self, name: str, default: bool) -> bool:
        """Return a field that is true or false. Raises SpecError."""
        words = {"true": True, "True": True, "t": True, 1: True}
        words |= {"false": False, "False": False, "f": False, 0: False}
        found = self._checked(
            name, lambda v: isinstance(v, str | int) and v in words, "true or false"
        )
        return words[found[-1]] if found else default

    def choice(self, name: str, *words: str) -> str:
        """Return a field that is one of some words, by default the first. Raises SpecError."""
        found = str(([*self.all(name)] or [words[0]])[-1])
        if found.isdigit() and int(found) < len(words):
            return words[int(found)]  # by its number, as enums may be
        if found not in words:
            hint = did_you_mean(found, words)
            line = self.fields[name][-1][1]
            raise SpecError(
                f"'{name}' must be one of {', '.join(words)}, got {quoted(found)}{hint}",
                line_of(self.file, line),
            )
        return found

    def _checked(self, name: str, fits: Any, expected: str) -> list[Any]:
        for value, line in self.fields.get(name, ()):
            if not fits(value):
                got = "a message" if isinstance(value, Message) else quoted(value)
                raise SpecError(f"'{name}' must be {expected}, got {got}", line_of(self.file, line))
        return self.all(name)


class _Reader:
    """Reads tokens one by one, without recursion."""

    def __init__(self, text: str, path: Path) -> None:
        self.file = path.as_posix()
        self.line = 1
        self.tokens = self._tokens(text)
        self.kind, self.token = next(self.tokens)

    def _tokens(self, text: str) -> Iterator[tuple[str, str]]:
        at = 0
        while at < len(text):
            found = TOKEN.match(text, at)
            if found is None:
                self.fail("a field", text[at : at + 20].split("\n")[0])
            at = found.end()
            if found.lastgroup == "line":
                self.line += 1
            elif found.lastgroup is not None:
                yield found.lastgroup, found.group()
        yield "end", ""

    def fail(self, expected: str, got: str) -> NoReturn:
        """Raise SpecError for the current token."""
        shown = quoted(got) if got else "the end of the file"
        raise SpecError(f"expected {expected}, got {shown}", Source(self.file, self.line, 1))

    def next(self) -> str:
        """Return the current token and advance to the next."""
        token = self.token
        self.kind, self.token = next(self.tokens, ("end", ""))
        return token

    def take(self, sign: str) -> bool:
        """Return whether the current token is this sign, and advance if it is."""
        if self.kind == "sign" and self.token == sign:
            self.next()
            return True
        return False

    def scalar(self) -> Any:
        """Return a number, a text or a word."""
        kind, line = self.kind, self.line
        token = self.next()
        if kind == "number":
            plain = token.rstrip("f")
            if re.fullmatch(r"[-+]?\d+", plain):
                return int(plain) if len(plain) < 40 else float(plain)
            return float(plain)
        if kind == "text":
            whole = token[1:-1]
            while self.kind == "text":  # adjacent strings are concatenated
                whole += self.next()[1:-1]
            return whole
        if kind != "word":
            self.line = line
            self.fail("a value", token)
        return token


def parse(text: str, path: Path) -> Message:
    """Parse the message in a file. Raises SpecError, or LimitError for deep nesting."""
    reader = _Reader(text, path)
    root = Message(reader.file, 1, {})
    open_: list[tuple[Message, str]] = [(root, "")]
    while True:
        message, end = open_[-1]
        if reader.kind == "end":
            if end:
                reader.fail(f"'{end}' for the message of line {message.line}", "")
            return root
        if end and reader.take(end):
            open_.pop()
            reader.take(",") or reader.take(";")
            continue
        if reader.kind != "word":
            reader.fail("the name of a field", reader.token)
        line = reader.line
        name = reader.next()
        values = message.fields.setdefault(name, [])
        colon = reader.take(":")
        begin = next((sign for sign in CLOSES if reader.take(sign)), None)
        if begin is not None:
            if len(open_) >= DEEPEST:
                at = Source(reader.file, line, 1)
                raise LimitError(f"messages nested deeper than the limit of {DEEPEST}", at)
            inner = Message(reader.file, line, {})
            values.append((inner, line))
            open_.append((inner, CLOSES[begin]))
            continue
        if not colon:
            reader.fail(f"':' or '{{' after '{shortened(name)}'", reader.token)
        if reader.take("["):
            while not reader.take("]"):
                values.append((reader.scalar(), line))
                reader.take(",")
        else:
            values.append((reader.scalar(), line))
        reader.take(",") or reader.take(";")
