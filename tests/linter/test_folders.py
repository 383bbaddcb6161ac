"""The files that linting a folder includes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from archscope.errors import OptionError
from archscope.linter import folders
from archscope.linter.folders import spec_files

FILES = [
    "net.yaml", "sub/net.yml", "sub/made/net.yaml", "sub/kept/net.yaml", "notes.txt",
    ".venv/net.yaml", "build/net.yaml", "runs/a/run.json", "runs/a/spec.yaml", "runs/mine.yaml",
    "elsewhere/b/run.json", "elsewhere/b/spec.yaml", "studies/s/study.json",
    "studies/s/winner.yaml", "studies/s/finals/trial0/spec.yaml", "sub/a.tmp.yaml",
    "sub/keep.tmp.yaml",
]  # fmt: skip


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("/build/\nmade/\n*.tmp.yaml\n!keep.tmp.yaml\n")
    return tmp_path


def found(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in spec_files(root))


def test_runs_studies_hidden_and_ignored_files_are_left_out(repository: Path) -> None:
    assert found(repository) == [
        "net.yaml", "runs/mine.yaml", "sub/keep.tmp.yaml", "sub/kept/net.yaml", "sub/net.yml",
    ]  # fmt: skip


def test_git_says_the_same(repository: Path) -> None:
    (repository / ".git").rmdir()
    subprocess.run(["git", "init", "-q"], cwd=repository, check=True)
    listed = subprocess.check_output(
        ["git", "ls-files", "--others", "--exclude-standard"], cwd=repository, text=True
    )
    assert set(found(repository)) < set(listed.splitlines())


def test_patterns_above_a_folder_hold_in_it(repository: Path) -> None:
    assert found(repository / "sub") == ["keep.tmp.yaml", "kept/net.yaml", "net.yml"]
    (repository / "sub" / ".gitignore").write_text("kept\n")
    assert found(repository / "sub") == ["keep.tmp.yaml", "net.yml"]
    assert "sub/kept/net.yaml" not in found(repository)


def test_a_folder_that_is_named_is_looked_into(repository: Path) -> None:
    assert found(repository / "runs" / "a") == ["spec.yaml"]
    assert found(repository / ".venv") == ["net.yaml"]


def test_a_whole_disk_is_refused(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MOST", 3)
    with pytest.raises(OptionError, match="more than 3 subfolders"):
        found(repository)
