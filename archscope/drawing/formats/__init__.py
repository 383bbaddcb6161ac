"""Formats of drawings, one per file: `draw --format dot` is drawn by dot.py.

Each file has `SUFFIXES` and `render(analysis, fold, heat)`, which returns text or bytes. Blocks at
depth `fold` are boxes (None: all layers are), coloured by their share of `heat`, by an overlay of
values, or not at all (None). They are found by walking this folder.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from archscope.analysis.result import Analysis
from archscope.drawing.heat import Heat
from archscope.errors import OptionError

FORMATS = tuple(sorted(module.name for module in iter_modules(__path__)))


def format_of(path: Path) -> str:
    """Return the format for the suffix of a file. Raises OptionError."""
    forms = {suffix: form for form in FORMATS for suffix in _module(form).SUFFIXES}
    form = forms.get(path.suffix.lower())
    if form is None:
        raise OptionError(
            f"the suffix of '{path}' belongs to no drawing format ({', '.join(forms)});"
            " name one by --format"
        )
    return form


def render(
    analysis: Analysis, form: str, fold: int | None = None, heat: Heat | None = "macs"
) -> str | bytes:
    """Draw a network in one of `FORMATS`."""
    drawn: str | bytes = _module(form).render(analysis, fold, heat)
    return drawn


def _module(form: str) -> Any:
    return import_module(f"{__name__}.{form}")
