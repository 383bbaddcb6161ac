"""The contract of importers: the function exists, and the pattern matches no spec."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from archscope.contracts.check import Check, expect
from archscope.importers.formats import FORMATS
from archscope.language import spaces, zoo

SPECS = ("specs/net.yaml", "INPUT 3x8x8 -> FC 10", "-", "")
"""Other ways to name a spec than the names of the zoo."""


def checks(name: str, file: Path | None = None) -> Iterator[Check]:
    """Yield the checks of an importer."""
    yield Check("functions", partial(functions_are_there, name))
    yield Check("pattern", partial(takes_no_spec, name))


def functions_are_there(name: str) -> None:
    """Check that the functions named by the format exist."""
    entry = FORMATS[name]
    expect(callable(entry.importer()), f"it needs a function `{entry.function}`")
    loader = entry.module_loader()
    expect(loader is None or callable(loader), f"it needs a function `{entry.runnable}`")


def takes_no_spec(name: str) -> None:
    """Check that the format does not match specs and zoo names."""
    entry = FORMATS[name]
    re.compile(entry.pattern)
    for word in (*SPECS, *zoo(), *spaces()):
        expect(not entry.takes(word), f"its pattern takes '{word}', which is a spec")
