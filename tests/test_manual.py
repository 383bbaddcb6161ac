"""What README and the manual show is what the commands print; see `manual.py`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.manual import ROOT, Reader, blocks

MADE = {"ops.md", "rules.md", "zoo.md"}
PAGES = sorted(
    f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md") if path.name not in MADE
)
PAGES.insert(0, "README.md")

NOT_RUN = {
    "README.md": 1,
    "docs/bench.md": 3,
    "docs/compress.md": 4,
    "docs/export.md": 2,
    "docs/import.md": 5,
    "docs/latency.md": 3,
    "docs/onnx.md": 2,
    "docs/python.md": 1,
    "docs/search.md": 2,
    "docs/tutorial-budget.md": 1,
    "docs/tutorial-compression.md": 8,
}
"""How many blocks of a page are not run. A page says why before each of them."""


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    """Return a reader in an empty folder with empty caches, whose imports are forgotten."""
    folder = tmp_path / "page"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ARCHSCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    before = set(sys.modules)
    yield Reader("")
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
            del sys.modules[name]


@pytest.mark.parametrize("page", PAGES)
def test_page(page: str, reader: Reader) -> None:
    reader.page = page
    found = blocks(text_of(page))
    reader.write_files(found)
    for block in found:
        if not block.not_run:
            reader.do(block)


def test_nobody_hides_among_what_is_not_run() -> None:
    counts = {page: sum(bool(block.not_run) for block in blocks(text_of(page))) for page in PAGES}
    assert {page: count for page, count in counts.items() if count} == NOT_RUN


@pytest.mark.parametrize("page", PAGES)
def test_commands_are_shown_in_console_blocks(page: str) -> None:
    text = text_of(page)
    for block in blocks(text):
        if block.language == "console":
            assert block.not_run or block.text.startswith("$ "), f"{page}:{block.line}"
        elif not block.title:
            command = re.search(r"^(\$ |archscope ).*", block.text, re.MULTILINE)
            assert command is None, f"{page}:{block.line}: {command}"
    assert not re.search(r"^ {4,}\$ ", text, re.MULTILINE), f"{page}: an indented command"
