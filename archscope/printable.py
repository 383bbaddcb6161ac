"""Text that any terminal can print: no control characters, no characters that it lacks."""

from __future__ import annotations

import codecs
import re
import sys

ASCII = str.maketrans({
    "─": "-", "│": "|", "└": "+", "·": "-", "…": "~", "�": "?",
    **dict(zip("▁▂▃▄▅▆▇█", "_.:-=+*#", strict=True)), **dict.fromkeys("▏▎▍▌▋▊▉", "|"),
})  # fmt: skip
"""Replacements of the same width for characters that an encoding lacks."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def printable(text: str, lines: bool = False) -> str:
    r"""Escape the characters of a text that would control a terminal, as in `\x1b`.

    These are control characters, and characters that change the text direction or have no width.
    With `lines`, line breaks are kept.
    """
    return _CONTROL.sub(lambda match: _escape(match[0], lines), text)


def _escape(char: str, lines: bool) -> str:
    return char if lines and char == "\n" else repr(char)[1:-1]


def width_of(text: str) -> int:
    """Return the width of a line in terminal columns."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # East Asian wide characters take two columns

    return cell_len(text)


def use_replacements() -> None:
    r"""Make standard output and standard error accept any text, whatever their encodings.

    Characters that an encoding lacks are written as escapes such as `\u2500`, as are file names
    that are not valid text.
    """
    codecs.register_error("archscope", _replacement)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="archscope")


def _replacement(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    replaced = missing.translate(ASCII)
    return replaced.encode("ascii", "backslashreplace").decode(), error.end
