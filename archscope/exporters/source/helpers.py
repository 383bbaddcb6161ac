"""The source of the modules that a network needs and torch lacks."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path

from archscope.errors import GraphError


def helpers(targets: Iterable[str]) -> tuple[list[str], set[str]]:
    """Return the sources of modules and their dependencies, and their imports.

    `targets` are names in `archscope.nn` or in modules of plug-ins. Raises GraphError if two
    definitions have the same name.
    """
    names: dict[str, list[str]] = {}
    for target in sorted(targets):
        library, _, name = target.rpartition(".")
        names.setdefault(library, []).append(name)
    sources: list[str] = []
    imports: set[str] = set()
    taken: set[str] = set()
    for library, wanted in names.items():
        found, lines = _needed(library, wanted)
        twice = taken & found.keys()
        if twice:
            raise GraphError(f"two modules of the network are called '{min(twice)}'")
        taken |= found.keys()
        sources += found.values()
        imports |= lines
    return sources, imports


def _needed(library: str, names: Iterable[str]) -> tuple[dict[str, str], set[str]]:
    """Return the sources of names of a library and of their dependencies, and imports."""
    defined, imports = _contents(library)
    wanted: set[str] = set()
    needs: set[str] = set()
    queue = list(names)
    while queue:
        name = queue.pop()
        if name in wanted or name in needs:
            continue
        if name in defined:
            wanted.add(name)
            queue += defined[name][1]
        elif name in imports:
            needs.add(name)
    sources = {name: source for name, (source, _) in defined.items() if name in wanted}
    return sources, {imports[name] for name in needs}


@cache
def _contents(library: str) -> tuple[dict[str, tuple[str, list[str]]], dict[str, str]]:
    """Return the source and the names read by each definition, and the import of each name."""
    defined: dict[str, tuple[str, list[str]]] = {}
    imports: dict[str, str] = {}
    module = import_module(library)
    folders = map(Path, getattr(module, "__path__", ()))
    files = [*(file for folder in folders for file in sorted(folder.glob("*.py")))]
    for file in files or [Path(module.__file__ or "")]:
        if file.name != "__init__.py":
            _read(file.read_text(encoding="utf-8"), defined, imports)
    return defined, imports


def _read(text: str, defined: dict[str, tuple[str, list[str]]], imports: dict[str, str]) -> None:
    """Add the definitions and imports of a file."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            source = ast.get_source_segment(text, node)
            assert source is not None
            read = [part.id for part in ast.walk(node) if isinstance(part, ast.Name)]
            defined[node.name] = source, read
        elif isinstance(node, ast.Import):
            imports.update({entry.name: f"import {entry.name}" for entry in node.names})
        elif isinstance(node, ast.ImportFrom):
            imports.update({o.name: f"from {node.module} import {o.name}" for o in node.names})
