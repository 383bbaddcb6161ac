"""The YAML files of this folder: specs with the findings that are expected in them."""

from __future__ import annotations

from pathlib import Path

import archscope.rules
from archscope.contracts.rules import Case, cases_of
from archscope.rules.rule import RULES

FOLDER = Path(__file__).parent


def file_of(code: str) -> Path:
    """Return the file that has the cases of a rule."""
    return FOLDER / f"{RULES[code].__module__.rpartition('.')[2]}.yaml"


def cases(code: str) -> list[Case]:
    """Return the cases of a rule."""
    return cases_of(code, file_of(code))


CASES = [case for code in sorted(RULES) for case in cases(code)]

__all__ = ["CASES", "Case", "archscope", "cases", "file_of"]
