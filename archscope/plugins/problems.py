"""The plug-ins that did not load; each is reported once."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # every command imports this module
    from archscope.plugins.discovery import Problem

problems: list[Problem] = []
"""The problems so far, in order."""


class PluginWarning(UserWarning):
    """A plug-in could not be loaded."""


def _warn(problem: Problem) -> None:
    warnings.warn(str(problem), PluginWarning, stacklevel=2)


tell: Callable[[Problem], None] = _warn
"""The function that reports each new problem; the command line prints a line."""


def note(problem: Problem) -> None:
    """Record a problem, and report it if it is new."""
    if problem not in problems:
        problems.append(problem)
        tell(problem)


def failed(kind: str) -> bool:
    """Return whether a plug-in that has or may have items of a kind did not load."""
    return any(problem.kind in ("", kind) for problem in problems)
