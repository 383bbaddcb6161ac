"""Run folders on disk: finding them, locking them, and reading what needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import msgspec
from filelock import FileLock

from archscope.errors import OptionError, did_you_mean
from archscope.files import is_locked, locked
from archscope.records.training import RunSummary

HOME = Path("runs")
"""Default folder of runs that are named without a path."""

SUMMARY = "run.json"

Record = TypeVar("Record")


def find_run(name: str | Path, home: Path = HOME) -> Path:
    """Return the folder of a run: a path, or a name in `home`. Raises OptionError."""
    for path in (Path(name), home / name):
        if is_run(path):
            return path
    known = [path.name for path in all_runs(home)]
    hint = did_you_mean(str(name), known) or "; `archscope runs` lists them"
    raise OptionError(f"no run '{name}'{hint}")


def is_run(path: Path) -> bool:
    """Return whether a folder holds a run."""
    return (path / SUMMARY).is_file()


def all_runs(home: Path = HOME) -> list[Path]:
    """Return the folders of all runs in `home`, by name."""
    return sorted(path.parent for path in home.glob(f"*/{SUMMARY}"))


def lock(path: Path) -> FileLock:
    """Lock a run folder, as a process does that trains in it. Raises OptionError."""
    return locked(path / ".lock", f"the run '{path}' is in use")


def is_training(path: Path) -> bool:
    """Return whether some process is training in a run folder."""
    return is_locked(path / ".lock")


def read_summary(path: Path) -> RunSummary:
    """Return the summary of a run. Raises OptionError if it cannot be read."""
    return _read(path / SUMMARY, RunSummary)


def read_environment(path: Path) -> dict[str, Any]:
    """Return versions, device and threads of a run. Raises OptionError if it cannot be read."""
    return _read(path / "environment.json", dict[str, Any])


def _read(file: Path, kind: type[Record]) -> Record:
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError) as error:
        raise OptionError(f"cannot read '{file}': {error}") from None
