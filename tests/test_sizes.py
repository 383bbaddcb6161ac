"""Functions, classes and files stay short enough to read; a longer one has a seam to cut at."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES = sorted(path for room in ("archscope", "benchmarks") for path in (ROOT / room).rglob("*.py"))

FILE, CLASS, FUNCTION = 500, 252, 60
"""The most lines of a file, of a class, and of a function.

The annotated fields of a class do not count, nor the signature and docstring of a function.
"""


def lengths(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield the file and what it defines: the name, the lines and the limit of each."""
    yield "the file", len(text.splitlines()), FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef):
            fields = [part for part in node.body if isinstance(part, ast.AnnAssign)]
            yield node.name, lines_of(node) - sum(map(lines_of, fields)), CLASS
        elif isinstance(node, ast.FunctionDef):
            told = ast.get_docstring(node, clean=False) is not None and len(node.body) > 1
            first = node.body[1 if told else 0]
            yield node.name, node.end_lineno - first.lineno + 1, FUNCTION


def lines_of(node: ast.stmt) -> int:
    """Return the number of lines of a statement."""
    return node.end_lineno - node.lineno + 1


def test_files_and_what_they_define_are_short() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {name} has {lines} lines"
        for path in FILES
        for name, lines, most in lengths(path.read_text(encoding="utf-8"))
        if lines > most
    ]
    assert not found, "find what stands alone in it"


def test_signatures_docstrings_and_fields_do_not_count() -> None:
    text = 'def f(\n    x,\n):\n    """About.\n\n    More.\n    """\n    return (\n        x\n    )'
    assert [*lengths(text)][1:] == [("f", 3, FUNCTION)]
    assert [*lengths("class C:\n    x: int\n    y = 2")][1:] == [("C", 2, CLASS)]
