"""Which folders of runs and studies a word names, and what a report shows without one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from archscope.errors import OptionError
from archscope.language import shipped, zoo
from archscope.records.run_folder import HOME as RUNS
from archscope.records.run_folder import SUMMARY, is_run, runs_of_seeds
from archscope.report.pages.study_section import TRIALS, is_study
from archscope.sources import is_foreign

STUDIES = Path("studies")
"""Folder of studies named without a path."""


def named_folders(word: str) -> list[Path]:
    """Return the folders of the runs or the study with a name; [] for other words.

    A name is that of a run in `runs/`, of a study in `studies/`, or the common name of several
    seeds, with or without a path. Names of networks take precedence. Raises OptionError if there
    are both a run and a study of this name.
    """
    try:
        if shipped(word) or Path(word).exists() or is_foreign(word):
            return []
        runs = [RUNS / word] if is_run(RUNS / word) else runs_of_seeds(word)
        study = STUDIES / word
        if not is_study(study):
            return runs
    except (OSError, ValueError):
        return []  # no path
    if runs:
        raise OptionError(f"'{word}' is a run and a study; name {RUNS / word} or {study}")
    return [study]


def default_sources() -> Sequence[str]:
    """Return the most recent run or study in the usual folders, else all networks of the zoo."""
    files = (*RUNS.glob(f"*/{SUMMARY}"), *STUDIES.glob(f"*/{TRIALS}"))
    last = max(files, key=lambda file: (file.stat().st_mtime, file), default=None)
    return [last.parent.as_posix()] if last else list(zoo())
