"""The line of a module's own code at which it fails."""

from __future__ import annotations

import re
import sysconfig
from pathlib import Path
from traceback import extract_tb

import torch

from archscope.errors import shortened

_NAMED = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+), in .*\n\s+(?P<code>\S.*)')
"""A line of code that torch quotes in an error of its own, after `_QUOTED`."""
_QUOTED = "The following call raised this error:"
_TORCH = Path(torch.__file__).parent
_OURS = Path(__file__).parents[2]
_STANDARD = Path(sysconfig.get_path("stdlib"))


def place_in_code(error: Exception) -> str:
    """Return ` (at net.py:6: if int(p) > 3:)`, or "" if the error is not from a module's code."""
    quoted = [*_NAMED.finditer(str(error).partition(_QUOTED)[2])]
    if quoted:
        return _text(Path(quoted[-1]["file"]), quoted[-1]["line"], quoted[-1]["code"])
    for frame in reversed(extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        if file.is_file() and not _is_foreign(file) and frame.line:
            return _text(file, frame.lineno, frame.line)
    return ""


def _is_foreign(file: Path) -> bool:
    """Return whether a file is torch's, ours or Python's."""
    installed = "site-packages" in file.parts
    standard = file.is_relative_to(_STANDARD) and not installed
    return standard or file.is_relative_to(_TORCH) or file.is_relative_to(_OURS)


def _text(file: Path, line: object, code: str) -> str:
    home = Path.cwd()
    near = file.relative_to(home) if file.is_relative_to(home) else file
    return f" (at {near.as_posix()}:{line}: {shortened(code.strip())})"
