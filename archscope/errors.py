"""Everything archscope says to a user who gave it something it cannot take.

    ArchscopeError            any of them; the command line prints it and exits with 2
    ├── SpecError             the text of a spec is wrong; knows file, line and column
    │   └── LimitError        a spec asks for more than a limit allows
    ├── ShapeError            an operator cannot take inputs of these shapes
    ├── GraphError            nodes do not form a graph
    ├── OptionError           an option or argument is wrong
    ├── DataError             what a data set holds is broken, or is not what it should be
    └── UnavailableError      a package or file that the work needs is missing

A traceback that reaches a user is a defect of archscope.
"""

from __future__ import annotations

from collections.abc import Iterable


class ArchscopeError(Exception):
    """Any mistake in what a user gave, as one readable sentence."""


class SpecError(ArchscopeError):
    """The text of a spec is wrong at a known place."""

    def __init__(self, message: str, at: object = None, path: str = "") -> None:
        self.message, self.at, self.path = message, at, path
        where = f"{at}: " if at is not None else ""
        trail = f" (at {path})" if path else ""
        super().__init__(f"{where}{message}{trail}")


class LimitError(SpecError):
    """A spec asks for more than a limit allows; the message names the limit."""


class ShapeError(ArchscopeError):
    """An operator cannot take inputs of these shapes."""


class GraphError(ArchscopeError):
    """Nodes do not form a graph."""


class OptionError(ArchscopeError):
    """An option or argument is wrong."""


class DataError(ArchscopeError):
    """What a data set holds is broken, or is not what it should be."""


class UnavailableError(ArchscopeError):
    """A package or file that the work needs is missing."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `, did you mean 'conv'?` for the nearest known word, or the empty string."""
    from difflib import get_close_matches  # only when something is wrong already

    names = sorted(known)
    folded = {name.lower(): name for name in names}
    near = get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    return f", did you mean '{folded[near[0]]}'?" if near else ""
