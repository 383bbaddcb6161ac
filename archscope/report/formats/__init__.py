"""Output formats of tables, one per file: `--format markdown` is written by markdown.py.

Each file has `render(output, screen=False)`, which returns the text of a `CommandOutput`; `screen`
is true if it goes to standard output. They are found by walking this folder.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from archscope.report.table import CommandOutput

FORMATS = tuple(sorted(module.name for module in iter_modules(__path__)))


def render(output: CommandOutput, form: str, screen: bool = False) -> str:
    """Write an output in one of `FORMATS`; `screen` is true if it goes to standard output."""
    written: str = import_module(f"{__name__}.{form}").render(output, screen)
    return written
