"""Values that depend on decisions, and the scopes in which they are computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from archscope.language.expression import Frame
from archscope.language.holes import DRAW, Draw


class UnknownError(Exception):
    """A value depends on shapes, which a survey does not follow."""


class Cell:
    """A value that may depend on decisions: which ones, and how to compute it from them."""

    __slots__ = ("_deps", "compute", "parts", "pending", "reads")

    def __init__(
        self,
        compute: Callable[[dict[str, Any]], Any],
        reads: Callable[[], set[str] | None],
        parts: dict[Any, Cell] | None = None,
    ) -> None:
        self.compute, self.reads = compute, reads
        self.parts = parts  # of a list by number, of a mapping by key, where they differ
        self._deps: set[str] | None = None
        self.pending = True

    @property
    def deps(self) -> set[str] | None:
        """The paths of the decisions that it reads; None if it reads shapes."""
        if self.pending:
            self.pending = False  # a circle in `let` is found when it is expanded
            self._deps = set()
            self._deps = self.reads()
        return self._deps


def _unknown(choices: dict[str, Any]) -> Any:
    raise UnknownError


SHAPES = Cell(_unknown, lambda: None)


def constant(value: Any) -> Cell:
    """Return a cell that no decision moves."""
    return Cell(lambda choices: value, set)


class Scene:
    """Names and their cells, as a frame has names and their values."""

    def __init__(self, parent: Scene | None, cells: dict[str, Cell]) -> None:
        self.parent, self.cells = parent, cells

    def find(self, name: str) -> Cell | None:
        """Return the cell of a name."""
        scene: Scene | None = self
        while scene is not None:
            if name in scene.cells:
                return scene.cells[name]
            scene = scene.parent
        return None


class Trial(Frame):
    """A scope in which expressions are computed for given decisions."""

    __slots__ = ("choices", "scene")

    def __init__(self, scene: Scene, choices: dict[str, Any], spot: Spot) -> None:
        super().__init__(None, {DRAW: Draw(choices, spot.path, spot.shared)})
        self.scene, self.choices = scene, choices

    def __missing__(self, name: str) -> Any:
        cell = self.scene.find(name)
        if cell is None:
            raise KeyError(name)
        value = self[name] = cell.compute(self.choices)
        return value


class Spot(Struct, frozen=True):
    """Where holes are called by which paths."""

    path: str  # of the instance
    shared: str  # of the block, for holes that are shared


def length(cell: Cell) -> Cell:
    """Return how long a list is."""
    if cell.parts is not None:
        return constant(len(cell.parts))  # whatever its elements depend on

    def compute(choices: dict[str, Any]) -> int:
        column = cell.compute(choices)
        return len(column) if isinstance(column, list) else 0

    return Cell(compute, lambda: cell.deps)


def element(cell: Cell, turn: int) -> Cell:
    """Return an element of a list, None beyond its end."""
    if cell.parts is not None:
        return cell.parts.get(turn) or constant(None)

    def compute(choices: dict[str, Any]) -> Any:
        column = cell.compute(choices)
        return column[turn] if isinstance(column, list) and turn < len(column) else None

    return Cell(compute, lambda: cell.deps)


def last(count: Cell, turn: int) -> Cell:
    """Return whether a turn is the last."""
    return Cell(lambda choices: whole(count.compute(choices)) == turn + 1, lambda: count.deps)


def whole(value: Any) -> int:
    """Return a number of turns; what is none gives no turn here and an error when expanded."""
    return value if isinstance(value, int) else 0
