"""The spec files of a folder, without those that nobody wrote: runs, studies, what git ignores."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct
from pathspec import GitIgnoreSpec

from archscope.errors import OptionError

RECORDS = {"run.json", "study.json"}
"""Files by which folders of runs and studies are told."""
MOST = 10_000
"""Folders that are looked into; there are more where somebody names a whole disk by mistake."""


class _Ignore(Struct, frozen=True):
    """The patterns of one `.gitignore`, for what is in its folder."""

    folder: Path
    spec: GitIgnoreSpec

    def covers(self, path: Path, is_folder: bool) -> bool:
        inside = path.relative_to(self.folder).as_posix()
        return self.spec.match_file(f"{inside}/" if is_folder else inside)


def spec_files(root: Path) -> Iterator[Path]:
    """Yield the .yaml and .yml files in a folder and in those below it.

    Left out are hidden folders, those of runs and studies, and what a `.gitignore` names, in the
    folder, below it, or above it in the same repository. The folder itself is never left out.
    Raises OptionError if there are more folders than anybody keeps specs in.
    """
    ignores = list(_ignores_above(root.resolve()))
    seen = 0
    for name, folders, files in os.walk(root):
        seen += 1
        if seen > MOST:
            raise OptionError(f"there are more than {MOST:,} folders in '{root}'; name one of them")
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
    """Yield the patterns that hold in a folder, up to the root of its repository."""
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
