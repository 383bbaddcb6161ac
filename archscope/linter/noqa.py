"""Parse `# noqa: G1` comments on lines, and `# archscope: noqa` comments for whole files.

Like `--select`, they take codes, prefixes of codes, and names of rules.
"""

from __future__ import annotations

import re

from msgspec import Struct

from archscope.rules.rule import RULES

_COMMENT = re.compile(
    r"(?:^|\s)#\s*(?P<file>archscope:\s*)?noqa(?:\s*:\s*(?P<codes>[\w-]+(?:[\s,]+[\w-]+)*))?\b",
    re.IGNORECASE,
)


class Suppressions(Struct, frozen=True):
    """The prefixes of codes that the comments of a file suppress, by line and in the whole file."""

    lines: dict[int, tuple[str, ...]]
    everywhere: tuple[str, ...]

    def covers(self, code: str, line: int) -> bool:
        """Return whether a finding is suppressed."""
        return code.startswith((*self.lines.get(line, ()), *self.everywhere))


def suppressions_in(text: str) -> Suppressions:
    """Parse the suppressing comments of a text."""
    lines: dict[int, tuple[str, ...]] = {}
    everywhere: tuple[str, ...] = ()
    if "noqa" not in text.lower():
        return Suppressions(lines, everywhere)
    names = {cls.name: code for code, cls in RULES.items()}
    for number, line in enumerate(text.splitlines(), 1):
        found = _COMMENT.search(line)
        if found is None:
            continue
        words = re.split(r"[\s,]+", found["codes"]) if found["codes"] else [""]
        codes = tuple(names.get(word.lower(), word.upper()) for word in words)
        if found["file"]:
            everywhere += codes
        else:
            lines[number] = codes
    return Suppressions(lines, everywhere)
