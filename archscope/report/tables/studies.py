"""A study as tables and lines, for the terminal and for Markdown."""

from __future__ import annotations

from archscope.report.pages.content import StudyPage
from archscope.report.pages.summary import written
from archscope.report.sparkline import bar, sparkline
from archscope.report.table import COUNT, NAME, RATIO, SHARE, Column, Table

MOST = 8  # decisions that are listed


def study_parts(study: StudyPage, plot: bool) -> list[Table | str]:
    """Return what a search found; `plot` adds what only a terminal shows well."""
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in study.counts)
    lines = [f"study {study.name}, {study.state}: {counts or 'no networks yet'}"]
    lines += [f"missing: {name}" for name in study.missing]
    found: list[Table | str] = ["\n".join(lines) + "\n"]
    if study.best and plot:
        found.append(_arms(study))
    if study.finalists:
        found.append(_finalists(study))
    if study.importance:
        found.append(_importance(study, plot))
    if study.proxies:
        rows = tuple(sorted(study.proxies, key=lambda proxy: -proxy[1]))
        found.append(Table("", (Column("proxy", NAME), Column("rank correlation", RATIO)), rows))
    return found


def _arms(study: StudyPage) -> Table:
    columns = (Column("arm", NAME), Column("trained", COUNT), Column("best so far", NAME),
               Column("accuracy", SHARE))  # fmt: skip
    rows = tuple(
        (arm.name, len(arm.x), sparkline([value or 0.0 for value in arm.y]), arm.y[-1])
        for arm in study.best
    )
    return Table("", columns, rows)


def _finalists(study: StudyPage) -> Table:
    columns = (Column("trained again", COUNT), Column("accuracy", SHARE), Column("95 %", NAME),
               Column("seeds", COUNT), Column("", NAME, "rank"))  # fmt: skip
    rows = tuple(
        (
            one.trial,
            one.mean,
            f"{written(one.low, SHARE)} to {written(one.high, SHARE)}"
            if len(one.scores) > 1
            else "-",
            len(one.scores),
            "the winner" if place == 0 else "tied" if one.tied else "behind",
        )
        for place, one in enumerate(study.finalists)
    )
    return Table("", columns, rows)


def _importance(study: StudyPage, plot: bool) -> Table:
    columns = (Column("decision", NAME), Column("importance", SHARE), Column("", NAME, "bar"))
    most = study.importance[0][1] or 1.0
    rows = tuple(
        (name, value, bar(value / most) if plot else "") for name, value in study.importance[:MOST]
    )
    return Table("", columns if plot else columns[:2], rows if plot else tuple(r[:2] for r in rows))
