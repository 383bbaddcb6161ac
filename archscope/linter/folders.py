"""Find the spec files of a folder, without runs, studies and what git ignores."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct
from pathspec import GitIgnoreSpec

from archscope.errors import OptionError

RECORDS = {"run.json", "study.json"}
"""Files that mark the folder of a run or a study."""
MOST = 10_000
"""The most folders to search; more means that somebody named a whole disk by mistake."""


class _Ignore(Struct, frozen=True):
    """The patterns of a `.gitignore`, which apply to its folder."""

    folder: Path
    spec: GitIgnoreSpec

    def covers(self, path: Path, is_folder: bool) -> bool:
        inside = path.relative_to(self.folder).as_posix()
        return self.spec.match_file(f"{inside}/" if is_folder else inside)


def spec_files(root: Path) -> Iterator[Path]:
    """Yield the .yaml and .yml files in a folder and its subfolders.

    Hidden folders, runs, studies, and what a `.gitignore` excludes, in the folder, below it, or
    above it in the same repository, are skipped; the folder itself never is. Raises OptionError if
    there are too many subfolders.
    """
    ignores = list(_ignores_above(root.resolve()))
    seen = 0
    for name, folders, files in os.walk(root):
        seen += 1
        if seen > MOST:
            raise OptionError(f"'{root}' has more than {MOST:,} subfolders; name one of them")
        folder = Path(name)
        whole = folder.resolve()
        if RECORDS & {*files} and folder != root:
            folders.clear()
            continue
        ignores += _ignore_in(whole) if folder != root else ()
        known = [ignore for ignore in ignores if whole.is_relative_to(ignore.folder)]
        folders[:] = sorted(
            inner
            for inner in folders
            if inner[:1] != "." and not any(i.covers(whole / inner, True) for i in known)
        )
        for file in files:
            if file.endswith((".yaml", ".yml")) and not any(
                ignore.covers(whole / file, False) for ignore in known
            ):
                yield folder / file


def _ignores_above(folder: Path) -> Iterator[_Ignore]:
    """Yield the patterns of the folders above a folder, up to the root of its repository."""
    for place in (folder, *folder.parents):
        yield from _ignore_in(place)
        if (place / ".git").exists():
            return


def _ignore_in(folder: Path) -> list[_Ignore]:
    try:
        text = (folder / ".gitignore").read_text(encoding="utf-8")
        return [_Ignore(folder, GitIgnoreSpec.from_lines(text.splitlines()))]
    except (OSError, ValueError):
        return []
