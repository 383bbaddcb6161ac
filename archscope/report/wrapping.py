"""Wrap the text of a cell, without a break inside a number or before its unit."""

from __future__ import annotations

import re

from archscope.printable import width_of

_UNIT = r"(?: (?:%|[kKMGT]i?B?|B|[pnum]?[sJW]|min|h)(?![\w%]))?"
_NUMBER = rf"(?:>= )?[-+]?\d+(?:[.,x]\d+)*(?:e[-+]?\d+)?{_UNIT}"
_PART = r"[^\W\d_]{1,12}(?:\d{1,4}(?!\d))?[_.,;:]?"
_PIECES = re.compile(rf"{_NUMBER}|{_PART}|\s+|.")
"""Numbers with their units, parts of words, which end with digits and a mark, spaces and marks."""


def longest_piece(text: str) -> int:
    """Return the width of the longest part that must not be broken."""
    return max(map(width_of, _PIECES.findall(text)), default=0)


def longest_word(text: str) -> int:
    """Return the width of the longest word, with the unit that belongs to it."""
    return max(map(width_of, _words(text)), default=0)


def wrapped(text: str, width: int) -> list[str]:
    """Wrap a text between words or, if a word is too long, inside it."""
    if width_of(text) <= width:
        return [text]
    lines = [""]
    for word in _words(text):
        pieces = [word] if width_of(word) <= width else _PIECES.findall(word)
        space = " " if lines[-1] else ""
        for piece in pieces:
            if lines[-1] and width_of(lines[-1] + space + piece) > width:
                lines.append(piece)
            else:
                lines[-1] += space + piece
            space = ""
    return lines


def _words(text: str) -> list[str]:
    """Return the words of a text, with numbers and their units together."""
    return re.findall(rf"(?:{_NUMBER}|\S)+", text)
