"""The errors that archscope raises for invalid input.

    ArchscopeError            the base class; the command line prints it and exits with 2
    ├── SpecError             the text of a spec is wrong; has file, line and column
    │   └── LimitError        a spec exceeds a limit
    ├── ShapeError            an operator does not accept inputs of these shapes
    ├── GraphError            nodes do not form a graph
    ├── OptionError           an option or argument is wrong
    │   └── WordError         an argument is wrong, and the right command is known
    ├── DataError             a data set is broken or not as expected
    ├── RecordError           JSON or plain data is not the record that is expected
    └── UnavailableError      a required package or file is missing

A traceback that reaches a user is a bug of archscope.
"""

from __future__ import annotations

from collections.abc import Iterable
from reprlib import Repr
from typing import Any


class ArchscopeError(Exception):
    """The base class of errors in the user's input; the message is one sentence."""


class SpecError(ArchscopeError):
    """The text of a spec is wrong at a known location."""

    def __init__(self, message: str, at: object = None, path: str = "") -> None:
        self.message, self.at, self.path = message, at, path
        where = f"{at}: " if at is not None else ""
        trail = f" (at {path})" if path else ""
        super().__init__(f"{where}{message}{trail}")


class LimitError(SpecError):
    """A spec exceeds a limit; the message names the limit."""


class ShapeError(ArchscopeError):
    """An operator does not accept inputs of these shapes."""


class GraphError(ArchscopeError):
    """Nodes do not form a graph."""


class OptionError(ArchscopeError):
    """An option or argument is wrong."""


class WordError(OptionError):
    """An argument of a command line is wrong, and the right or missing ones are known."""

    def __init__(
        self, message: str, given: str, instead: str = "", more: tuple[str, ...] = ()
    ) -> None:
        self.given, self.instead, self.more = given, instead or given, more
        super().__init__(message)


class DataError(ArchscopeError):
    """A data set is broken or not as expected."""


class RecordError(ArchscopeError):
    """JSON or plain data is not the record that is expected, at a place if one is to blame."""

    def __init__(self, reason: str, place: str = "") -> None:
        self.reason, self.place = reason, place
        super().__init__(f"{place}: {reason}" if place else reason)


class UnavailableError(ArchscopeError):
    """A required package or file is missing."""


def reason_of(error: Exception) -> str:
    """Return why the system or a reader refused, without the number and the path of the system."""
    text = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
    if isinstance(error, FileNotFoundError) and error.strerror is None:  # raised by safetensors
        return "no such file or directory"
    return f"{text[:1].lower()}{text[1:]}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is most like a word, or None if none is."""
    from difflib import get_close_matches  # only needed for errors

    names = sorted(known)
    folded = {name.lower(): name for name in names}
    near = get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    return folded[near[0]] if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `, did you mean 'conv'?` for the nearest known word, or ""."""
    near = nearest(word, known)
    return f", did you mean '{near}'?" if near else ""


def check_known(what: str, word: str, known: Iterable[str]) -> None:
    """Raise OptionError unless a word is among those that are known."""
    words = [*known]
    if word not in words:
        hint = did_you_mean(str(word), words) or f"; there are {', '.join(words)}"
        raise OptionError(f"unknown {what} {quoted(word)}{hint}")


LENGTH = 60


class _Nested(Repr):
    """A repr that shows a few elements and levels of lists and mappings."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxlist, self.maxtuple = 2, 8, 8

    def repr_int(self, x: int, level: int) -> str:
        return _number(x)


def quoted(value: Any) -> str:
    """Format a plain value for a message."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{shortened(value)}'"
    if isinstance(value, int):
        return _number(value)
    if isinstance(value, tuple) and value and all(isinstance(size, int) for size in value):
        return f"the shape {shortened('x'.join(map(_number, value)))}"
    return shortened(_NESTED.repr(value) if isinstance(value, list | dict | tuple) else str(value))


_NESTED = _Nested()


def _number(value: int) -> str:
    # Python refuses to print thousands of digits.
    return str(value) if abs(value) < 10**LENGTH else f"a number of over {LENGTH} digits"


def shortened(text: str, length: int = LENGTH) -> str:
    """Return a text without line breaks, truncated to `length` with dots."""
    line = repr(text[: length + 1])[1:-1]
    return line if len(line) <= length else f"{line[: length - 3]}..."
