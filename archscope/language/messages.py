"""How messages show what they got: in quotes, on one line and never at length."""

from __future__ import annotations

from reprlib import Repr
from typing import Any

LENGTH = 60

UNQUOTED = "; inside {...} an expression that holds , [ ] { } must be quoted"
"""The hint for what YAML leaves of an expression without quotes."""


class _Nested(Repr):
    """Shows a few elements and levels of lists and mappings."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxlist, self.maxtuple = 2, 8, 8

    def repr_int(self, x: int, level: int) -> str:
        return _number(x)


def shown(value: Any) -> str:
    """Return a plain value as a message shows it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{cut(value)}'"
    if isinstance(value, int):
        return _number(value)
    if isinstance(value, tuple) and value and all(isinstance(size, int) for size in value):
        return f"the shape {cut('x'.join(map(_number, value)))}"
    return cut(_NESTED.repr(value) if isinstance(value, list | dict | tuple) else str(value))


_NESTED = _Nested()


def _number(value: int) -> str:
    # Python refuses to print thousands of digits.
    return str(value) if abs(value) < 10**LENGTH else f"a number of over {LENGTH} digits"


def cut(text: str, length: int = LENGTH) -> str:
    """Return a text without line breaks, and with dots for what is beyond `length`."""
    line = repr(text[: length + 1])[1:-1]
    return line if len(line) <= length else f"{line[: length - 3]}..."
