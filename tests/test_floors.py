"""Imports only go down: from room to room by floors, and without circles from file to file."""

from __future__ import annotations

import ast
from pathlib import Path

import networkx as nx
import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "archscope"
FILES = sorted(PACKAGE.rglob("*.py"))
FLOORS = {
    room: floor
    for floor, rooms in enumerate((
        "errors extras axes printable module_names onnx_form scopes signatures",
        "units files decoding stats project callable_package weight_statistics",
        "ir records plugins weight_differences",
        "ops nn graph_builder",
        "language analysis datasets",
        "transforms",
        "metrics folding importers latency",
        "space rules build drawing",
        "revisions sources weights fused",
        "exporters pretrained",
        "verify bench linter",
        "train compress",
        "search",
        "contracts",
        "report",
        "api",
        "workflows",
        "cli",
        "__init__",
        "__main__",
    ))
    for room in rooms.split()
}  # fmt: skip
"""Every file and folder of the package; each imports only from the lines above its own."""
STRANGERS = {
    ("analysis", "ops"), ("importers", "language"),
    ("report", "build"), ("report", "nn"), ("report", "train"), ("report", "search"),
}  # fmt: skip
"""Rooms that must not know each other, though the floors would let them."""
LIGHT = {"archscope.__version__"}  # what a command may take from the package itself


def name_of(path: Path) -> str:
    """Return the dotted name of a module."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in FILES}


def imported(path: Path) -> set[str]:
    """Return the modules of the package that a file imports, also inside of functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in MODULES or whole in LIGHT else node.module)
    return found & MODULES.keys()


def room_of(module: str) -> str:
    """Return the room that a module stands in."""
    return module.split(".")[1] if "." in module else "__init__"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_go_down(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for other in {room_of(module) for module in imported(path)} - {room}:
        assert FLOORS[other] < FLOORS[room], f"{room} imports {other}"
        assert (room, other) not in STRANGERS, f"{room} imports {other}"


def test_no_two_files_import_each_other() -> None:
    graph = nx.DiGraph(
        (name_of(path), module) for path in FILES for module in imported(path) - {name_of(path)}
    )
    circles = [sorted(part) for part in nx.strongly_connected_components(graph) if len(part) > 1]
    assert not circles, "files that import one another in a circle"
