"""Comments that silence findings: `# noqa: G1` on a line, `# archscope: noqa` for a file."""

from __future__ import annotations

import re

from msgspec import Struct

_COMMENT = re.compile(
    r"(?:^|\s)#\s*(?P<file>archscope:\s*)?noqa(?::\s*(?P<codes>[A-Z]+\d*(?:[\s,]+[A-Z]+\d*)*))?\b",
    re.IGNORECASE,
)


class Silence(Struct, frozen=True):
    """What the comments of a file silence: codes by line, and codes everywhere.

    The empty code stands for all.
    """

    lines: dict[int, tuple[str, ...]]
    everywhere: tuple[str, ...]

    def covers(self, code: str, line: int) -> bool:
        """Return whether a finding is silenced."""
        prefixes = (*self.lines.get(line, ()), *self.everywhere)
        return any(matches(code, prefix) for prefix in prefixes)


def matches(code: str, prefix: str) -> bool:
    """Return whether a code is meant by a prefix: `CHN` means all of a family, '' everything.

    A digit ends where it ends: G1 is not the beginning of another code.
    """
    return code.startswith(prefix)


def silence(text: str) -> Silence:
    """Return what the comments of a text silence."""
    lines: dict[int, tuple[str, ...]] = {}
    everywhere: tuple[str, ...] = ()
    if "noqa" not in text.lower():
        return Silence(lines, everywhere)
    for number, line in enumerate(text.splitlines(), 1):
        found = _COMMENT.search(line)
        if found is None:
            continue
        codes = tuple(re.split(r"[\s,]+", found["codes"].upper())) if found["codes"] else ("",)
        if found["file"]:
            everywhere += codes
        else:
            lines[number] = codes
    return Silence(lines, everywhere)
