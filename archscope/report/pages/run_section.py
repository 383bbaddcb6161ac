"""A run folder -> what the report says of a training. No torch: its files are text."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import msgspec

from archscope.errors import OptionError
from archscope.report.pages.content import Confusion, Curve, Look, RunPage
from archscope.report.pages.inspections import read_look
from archscope.report.pages.network_section import identifier
from archscope.units import format_count

SUMMARY = "run.json"
NOT_CURVES = ("epoch", "step", "seconds")
SPLITS = ("test", "validation")


def is_run(path: Path) -> bool:
    """Return whether a folder holds a training."""
    return (path / SUMMARY).is_file()


def read_run(path: Path, taken: Sequence[str] = ()) -> RunPage:
    """Return the page of a run; what is broken in its folder is named in `missing`.

    Raises OptionError if there is no summary to be read.
    """
    found = _summary(path)
    missing: list[str] = []
    epochs = _rows(path / "epochs.csv", missing)
    steps = _rows(path / "steps.csv", missing)
    goal = str(found.get("goal") or "top1")
    name = str(found.get("name") or path.name)
    look = read_look(path, missing)
    return RunPage(
        id=identifier(f"run-{name}", taken),
        name=name,
        network=str(found.get("network", "?")),
        state=str(found.get("state", "unknown")),
        verdict=str(found.get("verdict") or ""),
        facts=_facts(found),
        epochs=_curves(epochs, "epoch"),
        steps=_curves(steps, "step"),
        findings=tuple(one for one in found.get("findings") or () if isinstance(one, dict)),
        confusion=_confusion(path, found, missing, look),
        accuracy=_accuracy(found, goal),
        missing=tuple(missing),
        look=look,
    )


def _summary(path: Path) -> dict[str, Any]:
    file = path / SUMMARY
    try:
        found = msgspec.json.decode(file.read_bytes())
    except (OSError, msgspec.MsgspecError) as error:
        raise OptionError(f"cannot read '{file}': {error}") from None
    if not isinstance(found, dict):
        raise OptionError(f"'{file}' is no summary of a run")
    return found


def _accuracy(found: dict[str, Any], goal: str) -> float | None:
    """Return the goal of the test, else that of the best validation, where it is a share."""
    best = found.get("best")
    validation = best.get("validation") if isinstance(best, dict) else None
    for scores in (found.get("test"), validation):
        value = scores.get(goal) if isinstance(scores, dict) else None
        if isinstance(value, int | float) and isfinite(value) and 0 <= value <= 1:
            return float(value)
    return None


def _facts(found: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    facts = []
    data = found.get("data")
    if isinstance(data, dict):
        splits = ", ".join(
            f"{data[split]:,} {split}"
            for split in ("train", "validation", "test")
            if isinstance(data.get(split), int)
        )
        facts.append(("data", f"{data.get('name', '?')}: {splits}"))
    facts += [
        (key, str(found[key]))
        for key in ("reason", "device", "seed", "epochs", "steps")
        if found.get(key) is not None
    ]
    facts += [
        (key, format_count(found[key]))
        for key in ("params", "macs")
        if isinstance(found.get(key), int)
    ]
    if isinstance(found.get("seconds"), int | float):
        facts.append(("time", f"{found['seconds']:,.1f} s"))
    scores = found.get("test")
    if isinstance(scores, dict):
        facts += [(f"test {key}", _score(value)) for key, value in scores.items()]
    return tuple(facts)


def _score(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else str(value)


def _rows(path: Path, missing: list[str]) -> list[dict[str, str]]:
    """Return the whole rows of a table that may still be written to."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        missing.append(f"{path.name}: {reason}")
        return []
    whole = text[: text.rfind("\n") + 1]
    return [row for row in csv.DictReader(whole.splitlines()) if None not in row.values()]


def _curves(rows: Sequence[dict[str, str]], axis: str) -> tuple[Curve, ...]:
    if not rows:
        return ()
    x = tuple(_number(row.get(axis)) for row in rows)
    return tuple(
        Curve(name, x, tuple(_number(row.get(name)) for row in rows))
        for name in rows[0]
        if name and name not in NOT_CURVES
    )


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if isfinite(value) else None


def _confusion(
    path: Path, found: dict[str, Any], missing: list[str], look: Look | None
) -> Confusion | None:
    """Return the confusion matrix of a saved `evaluation.json`, else that of `look.json`."""
    file = path / "evaluation.json"
    counts = look.confusion if look else ()
    if file.exists():
        try:
            counts = msgspec.json.decode(file.read_bytes(), type=_Evaluation).confusion
        except (OSError, msgspec.MsgspecError) as error:
            missing.append(f"evaluation.json: {error}")
    if not counts:
        return None
    data = found.get("data")
    classes = data.get("classes") if isinstance(data, dict) else None
    if not isinstance(classes, list) or len(classes) != len(counts):
        classes = list(range(len(counts)))
    return Confusion(tuple(map(str, classes)), counts)


class _Evaluation(msgspec.Struct):
    confusion: tuple[tuple[int, ...], ...]
