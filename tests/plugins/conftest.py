"""The plug-ins of the manual: in a folder of a project, and in a package that is installed."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from copy import copy
from pathlib import Path

import pytest

from archscope.plugins import problems
from archscope.plugins.catalogue import registry
from archscope.plugins.discovery import OFF, discover
from archscope.plugins.kinds import KINDS
from archscope.plugins.registry import Registry
from tests.cli.conftest import run

MANUAL = Path(__file__).parents[2] / "docs" / "plugins.md"
FILES = dict(
    re.findall(r"```\w+[^\n]*\n# (\S+)\n(.*?)```", MANUAL.read_text(encoding="utf-8"), re.DOTALL)
)
"""The files that the manual shows, by their paths."""
NAMES = {
    "ops": "star_relu", "rules": "LAB101", "metrics": "energy", "samplers": "climb",
    "datasets": "halves", "conventions": "chip", "importers": ".pattern", "exporters": "layers",
}  # fmt: skip

Write = Callable[[str, str], Path]


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let plug-ins be found anew, and forget them after the test."""
    monkeypatch.delenv(OFF, raising=False)
    monkeypatch.setattr(problems, "problems", [])
    monkeypatch.setattr(problems, "tell", problems.tell)  # the command line sets its own
    tables: list[Registry[object]] = [registry(kind) for kind in KINDS]
    for table in tables:
        table.load_own()  # modules are imported once: later, these items would be lost
    states = [copy(vars(table)) | {"own": dict(table.own)} for table in tables]
    modules = {*sys.modules}
    for table in tables:
        vars(table).update(_complete=False, files={})
    discover.cache_clear()
    yield
    discover.cache_clear()
    for table, state in zip(tables, states, strict=True):
        vars(table).update(state)
    for name in {*sys.modules} - modules:
        if name.partition(".")[0] in ("archscope_plugins", "archscope_lab"):
            del sys.modules[name]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh: None) -> Write:
    """Make a project with the files of the manual, go there, and return how to add a file."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    for name, text in FILES.items():
        write(name, text)
    monkeypatch.chdir(tmp_path)
    return write


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh: None) -> Path:
    """Install the files of the manual as the package `archscope_lab`, and return its folder."""
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    for name, text in FILES.items():
        if name.startswith("plugins/"):
            path = site / "archscope_lab" / name.removeprefix("plugins/")
            path.parent.mkdir(parents=True, exist_ok=True)
            text = text.replace("archscope_plugins", "archscope_lab")
            path.write_text(text, encoding="utf-8")
    info = site / "archscope_lab-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: archscope-lab\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[archscope.plugins]\nlab = archscope_lab\n")
    elsewhere.mkdir()
    (elsewhere / "net.yaml").write_text(FILES["net.yaml"], encoding="utf-8")
    monkeypatch.chdir(elsewhere)
    monkeypatch.syspath_prepend(site)
    return site / "archscope_lab"


__all__ = ["fresh", "package", "project", "run"]
