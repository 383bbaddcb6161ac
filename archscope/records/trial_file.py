"""The trials of a study as lines of JSON, and what becomes of lines that are damaged."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from archscope.errors import OptionError
from archscope.files import append_bytes, write_bytes
from archscope.records.study import Trial

DAMAGED = "trials.damaged.jsonl"
"""The file beside the trials that damaged lines are moved to."""


class TrialLines(Struct, frozen=True):
    """The content of a file of trials."""

    trials: tuple[Trial, ...]  # by number
    lines: tuple[bytes, ...]  # of the trials, in the order of the file
    damaged: tuple[tuple[int, bytes], ...]  # lines that are no trial, with their numbers from 1
    partial: bytes = b""  # a last line whose end was never written


def read_trials(file: Path) -> TrialLines:
    """Return what is in a file of trials; no file has none. Raises OptionError.

    A number that was there before makes a line a damaged one, too.
    """
    try:
        data = file.read_bytes() if file.exists() else b""
    except OSError as error:
        raise OptionError(f"cannot read '{file}': {error.strerror}") from None
    *whole, partial = data.split(b"\n")
    trials: dict[int, Trial] = {}
    lines, damaged = [], []
    for place, line in enumerate(whole, 1):
        try:
            trial = msgspec.json.decode(line, type=Trial)
        except msgspec.MsgspecError:
            trial = None
        if trial is None or trial.number in trials or trial.number < 0 or _lacks_result(trial):
            damaged.append((place, line))
        else:
            trials[trial.number] = trial
            lines.append(line)
    by_number = tuple(trials[number] for number in sorted(trials))
    return TrialLines(by_number, tuple(lines), tuple(damaged), partial)


def repair_trials(file: Path) -> TrialLines:
    """Return what is in a file of trials, after damaged lines were moved out of it.

    They go to the file `DAMAGED` beside it; a last line without its end is removed. Raises
    OptionError.
    """
    found = read_trials(file)
    if found.damaged:
        moved = b"".join(line + b"\n" for _, line in found.damaged)
        append_bytes(file.with_name(DAMAGED), moved)
    if found.damaged or found.partial:
        write_bytes(file, b"".join(line + b"\n" for line in found.lines))
    return found


def _lacks_result(trial: Trial) -> bool:
    return trial.trained and trial.result is None
