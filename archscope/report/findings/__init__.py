"""Output formats of findings, one per file: `lint --format sarif` is written by sarif.py.

Each file has `render(report)`, which returns the text of a `LintReport`. They are found by walking
this folder.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from msgspec import Struct

from archscope.rules.rule import Finding

FORMATS = tuple(sorted(module.name for module in iter_modules(__path__)))


class LintReport(Struct, frozen=True):
    """The result of `archscope lint`."""

    findings: tuple[Finding, ...]
    hidden: int  # findings below the requested severity
    networks: int


def render(report: LintReport, form: str) -> str:
    """Write the findings in one of `FORMATS`."""
    written: str = import_module(f"{__name__}.{form}").render(report)
    return written


def relative(file: str) -> str:
    """Return a path relative to the working directory if it is inside."""
    path = Path(file)
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        return path.relative_to(Path.cwd()).as_posix()
    return file
