"""Read the section of a report on a training run from its folder."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from math import isfinite
from pathlib import Path

from archscope.decoding import decode_json
from archscope.errors import OptionError, RecordError, reason_of
from archscope.ir import text_of
from archscope.records.evaluation import Evaluation
from archscope.records.inspection import Inspection, read_inspection
from archscope.records.run_folder import read_summary
from archscope.records.training import RunSummary
from archscope.report.pages.content import Confusion, Curve, MeasuredAccuracy, RunSection
from archscope.report.pages.network_section import identifier
from archscope.report.pages.quality import measured
from archscope.report.pages.words import percent
from archscope.units import format_count

NOT_CURVES = ("epoch", "step", "seconds")


def read_run(path: Path, taken: Sequence[str] = ()) -> RunSection:
    """Read the section of a run; broken files are listed in `missing`.

    Raises OptionError if the summary cannot be read.
    """
    summary = read_summary(path)
    missing: list[str] = []
    epochs = _rows(path / "epochs.csv", missing)
    steps = _rows(path / "steps.csv", missing)
    inspection = None
    try:
        inspection = read_inspection(path)
    except OptionError as error:
        missing.append(str(error))
    accuracy = _accuracy(summary)
    return RunSection(
        id=identifier(f"run-{summary.name}", taken),
        name=summary.name,
        network=summary.network,
        state=summary.state,
        fit=summary.fit,
        facts=(*_facts(summary), *_field(inspection)),
        epochs=_curves(epochs, "epoch"),
        steps=_curves(steps, "step"),
        diagnoses=summary.diagnoses,
        confusion=_confusion(path, summary, missing, inspection),
        accuracy=None if accuracy is None else accuracy.mean,
        seed=summary.seed,
        measured=accuracy,
        missing=tuple(missing),
        inspection=inspection,
    )


def _accuracy(summary: RunSummary) -> MeasuredAccuracy | None:
    """Return the goal on the test images, else its best on validation images, if it is a share."""
    best = summary.best
    for split, scores in (("test", summary.test), ("validation", best and best.validation)):
        value = scores.get(summary.goal) if scores else None
        if value is not None and 0 <= value <= 1:
            goal = "" if summary.goal == "top1" else f", by {summary.goal}"
            images = summary.data.get(split)
            return measured(
                (value,),
                images if isinstance(images, int) else 0,
                f"{summary.data['name']} {split} images{goal}",
            )
    return None


def _facts(summary: RunSummary) -> tuple[tuple[str, str], ...]:
    """Return the listed facts of a run, as names and texts."""
    data = summary.data
    splits = ", ".join(
        f"{data[split]:,} {split}" for split in ("train", "validation", "test") if split in data
    )
    return (
        ("data", f"{data['name']}: {splits}"),
        ("ended because", summary.reason),
        ("device", summary.device),
        ("seed", str(summary.seed)),
        ("epochs", str(summary.epochs)),
        ("steps", str(summary.steps)),
        ("params", format_count(summary.params)),
        ("macs", format_count(summary.macs)),
        ("time", f"{summary.seconds:,.1f} s"),
        *((f"test {name}", _score(name, value)) for name, value in (summary.test or {}).items()),
    )


def _score(name: str, value: float) -> str:
    return f"{value:.4g}" if name.endswith("loss") else percent(value)


def _field(inspection: Inspection | None) -> tuple[tuple[str, str], ...]:
    """Return the listed facts of the effective receptive field, if it was measured."""
    field = inspection.field if inspection else None
    if field is None:
        return ()
    words = f"{text_of(field.effective)} effective"
    if field.theoretical:
        words += f", {text_of(field.theoretical)} theoretical"
    return (("receptive field", f"{words}, at {field.layer}"),)


def _rows(path: Path, missing: list[str]) -> list[dict[str, str]]:
    """Return the complete rows of a table that may still be written to."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else "not a text file"
        missing.append(f"{path.name}: {reason}")
        return []
    complete = text[: text.rfind("\n") + 1]
    try:
        return [row for row in csv.DictReader(complete.splitlines()) if None not in row.values()]
    except csv.Error as error:
        missing.append(f"{path.name}: {error}")
        return []


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
    path: Path, summary: RunSummary, missing: list[str], inspection: Inspection | None
) -> Confusion | None:
    """Return the confusion matrix of a saved `evaluation.json`, else that of the inspection."""
    file = path / "evaluation.json"
    counts = inspection.confusion if inspection else ()
    if file.exists():
        try:
            counts = decode_json(file.read_bytes(), Evaluation).confusion
        except (OSError, RecordError) as error:
            missing.append(f"evaluation.json: {reason_of(error)}")
    if not counts:
        return None
    classes = summary.data.get("classes", ())
    if len(classes) != len(counts):
        classes = range(len(counts))
    return Confusion(tuple(map(str, classes)), counts)
