"""The manual page of a rule, and the score card of the guidelines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from inspect import cleandoc
from typing import Any

from archscope.report.table import NAME, Column, Table
from archscope.rules.rule import RULES, Rule, Score

_THRESHOLD = re.compile(r"^(\w+): (.+)$")


def overview() -> Table:
    """Return one row for each rule."""
    columns = (
        Column("code", NAME), Column("rule", NAME), Column("severity", NAME),
        Column("fix", NAME), Column("about"),
    )  # fmt: skip
    rows = tuple(
        (code, cls.name, cls.severity, cls.fixes, about(cls)) for code, cls in sorted(RULES.items())
    )
    return Table("", columns, rows)


def about(cls: type[Rule]) -> str:
    """Return the first sentence of a rule's page."""
    return cleandoc(cls.__doc__ or "").split("\n\n")[0].replace("\n", " ")


def thresholds(cls: type[Rule]) -> list[tuple[str, Any, str]]:
    """Return name, default and meaning of each threshold."""
    told = {
        match[1]: match[2]
        for line in cleandoc(cls.__doc__ or "").splitlines()
        if (match := _THRESHOLD.match(line)) and match[1] in cls.__struct_fields__
    }
    default = cls()
    return [(name, getattr(default, name), told[name]) for name in cls.__struct_fields__]


def text(cls: type[Rule]) -> list[str]:
    """Return the paragraphs of a rule's page, less its first sentence and its thresholds."""
    paragraphs = cleandoc(cls.__doc__ or "").split("\n\n")[1:]
    return [
        paragraph
        for paragraph in paragraphs
        if not (
            (match := _THRESHOLD.match(paragraph.split("\n")[0]))
            and match[1] in cls.__struct_fields__
        )
    ]


def page(cls: type[Rule], heading: bool = False) -> list[Any]:
    """Return the manual page of a rule."""
    title = f"{cls.code} {cls.name}"
    fix = f", {cls.fixes} fix" if cls.fixes else ""
    gap = "" if heading else "\n"  # Markdown sets paragraphs apart itself
    parts: list[Any] = [
        f"### {title}" if heading else title,
        f"{about(cls)}{gap}",
        f"Severity: {cls.severity}{fix}.{gap}",
        *(f"{paragraph}{gap}" for paragraph in text(cls)),
    ]
    rows = tuple((name, str(value), meaning) for name, value, meaning in thresholds(cls))
    if rows:
        columns = Column("threshold", NAME), Column("default", NAME), Column("meaning")
        parts.append(Table("", columns, rows))
    return parts


def score_card(cards: Sequence[tuple[str, Sequence[Score]]]) -> Table:
    """Return one row for each network, with its scores; `!` marks a guideline that it breaks."""
    codes = [score.code for score in cards[0][1]] if cards else []
    columns = (Column("network", NAME), *(Column(code, NAME) for code in codes), Column("broken"))
    rows = tuple(
        (
            name,
            *map(_shown, scores),
            " ".join(score.code for score in scores if score.broken) or "none",
        )
        for name, scores in cards
    )
    limits = ("limit", *(_value(score.limit, score.unit) for score in cards[0][1]), "")
    return Table("", columns, rows, (limits,))


def _shown(score: Score) -> str:
    if score.value is None:
        return "-"
    return _value(score.value, score.unit) + ("  !" if score.broken else "")


def _value(value: float, unit: str) -> str:
    if unit == "share":
        return f"{100 * value:.0f} %"
    return f"{value:.2f} x" if unit == "x" else f"{value:g}"
