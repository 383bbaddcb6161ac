"""The source of modules that torch lacks, as far as a network uses them."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import archscope.nn


def helpers(names: Iterable[str]) -> tuple[list[str], set[str]]:
    """Return the sources of modules of `archscope.nn` and what they need, and their imports."""
    defined, imports = _contents()
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
    sources = [source for name, (source, _) in defined.items() if name in wanted]
    return sources, {imports[name] for name in needs}


@cache
def _contents() -> tuple[dict[str, tuple[str, list[str]]], dict[str, str]]:
    """Return source and names read of each definition, and the line that imports each name."""
    defined: dict[str, tuple[str, list[str]]] = {}
    imports: dict[str, str] = {}
    for folder in archscope.nn.__path__:
        for file in sorted(Path(folder).glob("*.py")):
            if file.name != "__init__.py":
                _read(file.read_text(encoding="utf-8"), defined, imports)
    return defined, imports


def _read(text: str, defined: dict[str, tuple[str, list[str]]], imports: dict[str, str]) -> None:
    """Add what a file defines and imports."""
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
