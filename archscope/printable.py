"""Text that any terminal can take: no control characters, and no letters that it does not have."""

from __future__ import annotations

import codecs
import re
import sys

ASCII = str.maketrans({
    "─": "-", "│": "|", "└": "+", "·": "-", "…": "~", "�": "?",
    **dict(zip("▁▂▃▄▅▆▇█", "_.:-=+*#", strict=True)), **dict.fromkeys("▏▎▍▌▋▊▉", "|"),
})  # fmt: skip
"""Letters that stand for others where an encoding lacks these, each as wide as the other."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def printable(text: str, lines: bool = False) -> str:
    r"""Return a text with escapes such as `\x1b` for characters that would control a terminal.

    These are control characters, and those that change the direction of a text or have no width.
    With `lines`, line breaks stay.
    """
    return _CONTROL.sub(lambda match: _escape(match[0], lines), text)


def _escape(char: str, lines: bool) -> str:
    return char if lines and char == "\n" else repr(char)[1:-1]


def width_of(text: str) -> int:
    """Return how many places of a terminal a line takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # letters of East Asia take two places

    return cell_len(text)


def use_replacements() -> None:
    r"""Let standard output and standard error take any text, whatever their encodings lack.

    What there is no letter for is written as an escape such as `\u2500`, also names of files that
    are no text.
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
