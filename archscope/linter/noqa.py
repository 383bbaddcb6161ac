"""Comments that suppress findings: `# noqa: G1` on a line, `# archscope: noqa` for a file."""

from __future__ import annotations

import re

from msgspec import Struct

_COMMENT = re.compile(
    r"(?:^|\s)#\s*(?P<file>archscope:\s*)?noqa(?::\s*(?P<codes>[A-Z]+\d*(?:[\s,]+[A-Z]+\d*)*))?\b",
    re.IGNORECASE,
)


class Suppressions(Struct, frozen=True):
    """The prefixes of codes that the comments of a file suppress: by line, and everywhere."""

    lines: dict[int, tuple[str, ...]]
    everywhere: tuple[str, ...]

    def covers(self, code: str, line: int) -> bool:
        """Return whether a finding is suppressed."""
        return code.startswith((*self.lines.get(line, ()), *self.everywhere))


def suppressions_in(text: str) -> Suppressions:
    """Return what the comments of a text suppress."""
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
