"""Each package imports only from lower floors."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "archscope"
FLOORS = {
    "errors": 0, "axes": 0, "units": 1, "ir": 1, "ops": 2,
    "spec": 3, "importers": 3, "analysis": 3, "nn": 3,
    "transforms": 3, "sources": 4, "build": 4,
    "rules": 4, "exporters": 5, "train": 5, "verify": 5, "bench": 5,
    "drawing": 4, "weights": 6,
    "report": 5, "linter": 5, "search": 6, "cli": 7, "__init__": 8, "__main__": 8,
}  # fmt: skip
STRANGERS = {("analysis", "ops"), ("report", "build"), ("report", "nn"), ("report", "train")}
"""Rooms that must not know each other, though the floors would let them."""
LIGHT = {"__version__"}  # what a command may take from the package itself


def imported(path: Path) -> set[str]:
    """Return the rooms of the package that a file imports from."""
    rooms: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "archscope":
            modules = [f"archscope.{one.name}" for one in node.names if one.name not in LIGHT]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module]
        else:
            continue
        rooms.update(name.split(".")[1] for name in modules if name.startswith("archscope."))
    return rooms


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_imports_go_down(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for other in imported(path) - {room}:
        assert FLOORS[other] < FLOORS[room], f"{room} imports {other}"
        assert (room, other) not in STRANGERS, f"{room} imports {other}"
