"""Read the trials of a study from lines of JSON, and set damaged lines aside."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from archscope.decoding import decode_json
from archscope.errors import OptionError, RecordError, reason_of
from archscope.files import append_bytes, write_bytes
from archscope.records.study import Trial

DAMAGED = "trials.damaged.jsonl"
"""The file in the same folder that damaged lines are moved to."""


class TrialLines(Struct, frozen=True):
    """The content of a file of trials."""

    trials: tuple[Trial, ...]  # by number
    lines: tuple[bytes, ...]  # of the trials, in the order of the file
    damaged: tuple[tuple[int, bytes], ...]  # invalid lines, with their numbers from 1
    partial: bytes = b""  # an incomplete last line


def read_trials(file: Path) -> TrialLines:
    """Read a file of trials; a missing file has none. Raises OptionError.

    A line that repeats the number of a trial counts as damaged.
    """
    try:
        data = file.read_bytes() if file.exists() else b""
    except OSError as error:
        raise OptionError(f"cannot read '{file}': {reason_of(error)}") from None
    *whole, partial = data.split(b"\n")
    trials: dict[int, Trial] = {}
    lines, damaged = [], []
    for place, line in enumerate(whole, 1):
        try:
            trial = decode_json(line, Trial)
        except RecordError:
            trial = None
        if trial is None or trial.number in trials or trial.number < 0 or _lacks_result(trial):
            damaged.append((place, line))
        else:
            trials[trial.number] = trial
            lines.append(line)
    by_number = tuple(trials[number] for number in sorted(trials))
    return TrialLines(by_number, tuple(lines), tuple(damaged), partial)


def repair_trials(file: Path) -> TrialLines:
    """Read a file of trials, after moving damaged lines out of it.

    They go to the file `DAMAGED` in the same folder; an incomplete last line is removed. Raises
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
