"""How messages show what they got: in quotes, on one line and never at length."""

from __future__ import annotations

from reprlib import Repr
from typing import Any

from archscope.ir import text_of

LENGTH = 60
_HUGE = 10**LENGTH
_NESTED = Repr()
_NESTED.maxlevel, _NESTED.maxlist, _NESTED.maxdict = 2, 8, 4


def shown(value: Any) -> str:
    """Return a plain value as a message shows it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{cut(value)}'"
    if isinstance(value, tuple) and all(isinstance(size, int) for size in value):
        return f"the shape {cut(text_of(value))}"
    if isinstance(value, int) and abs(value) >= _HUGE:
        return f"a number of more than {LENGTH} digits"  # Python refuses to print such at length
    return cut(_NESTED.repr(value) if isinstance(value, list | dict | tuple) else str(value))


def cut(text: str, length: int = LENGTH) -> str:
    """Return a text without line breaks, and with dots for what is beyond `length`."""
    line = repr(text[: length + 1])[1:-1]
    return line if len(line) <= length else f"{line[: length - 3]}..."
