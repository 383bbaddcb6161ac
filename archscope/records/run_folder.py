"""Run folders on disk: find them, lock them, and read the parts that need no torch."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import Annotated, Any, TypeVar

from filelock import FileLock
from msgspec import Meta, Struct

from archscope.decoding import convert, decode_json
from archscope.errors import OptionError, RecordError, did_you_mean, reason_of
from archscope.files import ASIDE, is_locked, locked
from archscope.records.training import (
    DistillationRecord,
    PixelStatistics,
    RunSummary,
    TaskRecord,
    TrainedOn,
)

HOME = Path("runs")
"""Default folder for runs named without a path."""

SUMMARY = "run.json"

BEST = "best.safetensors"
"""The weights of the best validation."""

WEIGHTS = (BEST, "last.safetensors")
"""The files with weights in the folder of a run."""

BEFORE_SUMMARY = {"spec.yaml", "recipe.yaml", "environment.json", "analysis.json", ".lock"}
"""Files of a run folder that exist before its summary, which makes it a run."""

Record = TypeVar("Record")


def find_run(name: str | Path, home: Path = HOME) -> Path:
    """Return the folder of a run, given its path or its name in `home`. Raises OptionError."""
    for path in (Path(name), home / name):
        if is_run(path):
            return path
    for path in (Path(name), home / name):
        if path.is_dir() and any(path.iterdir()) and is_abandoned(path):
            raise OptionError(
                f"the run '{path}' was stopped before its training began; start it again"
            )
    seeds = runs_of_seeds(name, home)
    if seeds:
        folders = ", ".join(path.as_posix() for path in seeds)
        raise OptionError(f"'{name}' stands for {len(seeds)} runs; name one of them: {folders}")
    path = Path(name)
    if (path / "study.json").is_file():
        raise OptionError(f"'{name}' is a study; its runs are the folders in {path / 'finals'}")
    if path.is_file():
        raise OptionError(f"a run is a folder, got the file '{name}'; `archscope runs` lists runs")
    known = [run.name for run in all_runs(home if path.parent == Path() else path.parent)]
    hint = did_you_mean(path.name, known) or "; `archscope runs` lists them"
    raise OptionError(f"no run '{name}'{hint}")


def find_runs(name: str | Path, home: Path = HOME) -> list[Path]:
    """Return the folder of a run, or the folders of all seeds made by `train --seeds`.

    Raises OptionError.
    """
    return runs_of_seeds(name, home) or [find_run(name, home)]


def weights_file(path: Path) -> Path:
    """Return the file of weights at a path: the path itself, or the best weights of a run.

    Raises OptionError for a run without weights, and for several runs.
    """
    if not path.is_dir():
        if not path.exists() and runs_of_seeds(path):
            find_run(path)  # raises
        return path
    file = path / BEST
    if not file.exists():
        if not is_run(path):
            raise OptionError(f"expected a file of weights or a run, got the folder '{path}'")
        raise OptionError(f"'{path}' has no best weights; it may have stopped in its first epoch")
    return file


def runs_of_seeds(name: str | Path, home: Path = HOME) -> list[Path]:
    """Return the folders that `train --seeds` made under a name, by seed; () for other names."""
    for path in (Path(name), home / name):
        seeds = [run for run in path.parent.glob(f"{glob.escape(path.name)}-seed*") if is_run(run)]
        seeds = [run for run in seeds if run.name.removeprefix(f"{path.name}-seed").isdecimal()]
        if seeds and not is_run(path):
            return sorted(seeds, key=lambda run: int(run.name.rpartition("seed")[2]))
    return []


def is_run(path: Path) -> bool:
    """Return whether a folder is a run."""
    return os.path.isfile(path / SUMMARY)  # noqa: PTH113 - False for names that are too long


def is_abandoned(path: Path) -> bool:
    """Return whether a folder comes from a training killed before it became a run."""
    try:
        names = {file.name for file in path.iterdir()}
    except OSError:
        return False
    names = {name for name in names if not name.startswith(ASIDE)}
    return names <= BEFORE_SUMMARY and not is_training(path)


def all_runs(home: Path = HOME) -> list[Path]:
    """Return the folders of all runs in `home`, by name."""
    return sorted(path.parent for path in home.glob(f"*/{SUMMARY}"))


def lock(path: Path) -> FileLock:
    """Lock a run folder, as a training process does. Raises OptionError."""
    return locked(path / ".lock", f"the run '{path}' is in use")


def is_training(path: Path) -> bool:
    """Return whether a process is training in a run folder."""
    return is_locked(path / ".lock")


def read_summary(path: Path, *needed: str) -> RunSummary:
    """Read the summary of a run; `needed` are keys that its `data` must have.

    Raises OptionError, naming the field, if it cannot be read.
    """
    file = path / SUMMARY
    summary = _read(file, RunSummary)
    task = _checked(file, "task", summary.task, TaskRecord)
    if task.kind == "distillation":
        _checked(file, "task", summary.task, DistillationRecord)
    data = _checked(file, "data", summary.data, TrainedOn)
    for key in needed:
        if key not in summary.data:
            raise OptionError(f"cannot read '{file}': data: '{key}' is missing")
    if isinstance(data.statistics, PixelStatistics):
        means, deviations = len(data.statistics.mean), len(data.statistics.std)
        if means != deviations:
            raise OptionError(
                f"cannot read '{file}': data.statistics: {means} means and {deviations} deviations"
            )
    return summary


def read_threads(path: Path) -> int:
    """Return the number of threads that a run was trained with. Raises OptionError."""
    return _read(path / "environment.json", _Environment).threads


class _Environment(Struct):
    threads: Annotated[int, Meta(ge=1)]


def _checked(file: Path, field: str, value: Any, kind: type[Record]) -> Record:
    try:
        return convert(value, kind, field)
    except RecordError as error:
        raise OptionError(f"cannot read '{file}': {error}") from None


def _read(file: Path, kind: type[Record]) -> Record:
    try:
        return decode_json(file.read_bytes(), kind)
    except (OSError, RecordError) as error:
        raise OptionError(f"cannot read '{file}': {reason_of(error)}") from None
