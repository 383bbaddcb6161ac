"""Parse `# noqa: G1` comments on lines, and `# archscope: noqa` comments for whole files."""

from __future__ import annotations

import re

from msgspec import Struct

_COMMENT = re.compile(
    r"(?:^|\s)#\s*(?P<file>archscope:\s*)?noqa(?::\s*(?P<codes>[A-Z]+\d*(?:[\s,]+[A-Z]+\d*)*))?\b",
    re.IGNORECASE,
)


class Suppressions(Struct, frozen=True):
    """The code prefixes that the comments of a file suppress, by line and in the whole file."""

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
    for number, line in enumerate(text.splitlines(), 1):
        found = _COMMENT.search(line)
        if found is None:
            continue
        codes = tuple(re.split(r"[\s,]+", found["codes"].upper())) if found["codes"] else ("",)
        if found["file"]:
            everywhere += codes
        else:
            lines[number] = codes
    return Suppressions(lines, everywhere)
