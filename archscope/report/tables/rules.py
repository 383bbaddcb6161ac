"""The linter's rules as tables: their list and pages, the score card, and statistics."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from inspect import cleandoc
from typing import Any

from archscope.report.table import COUNT, NAME, Column, Heading, Part, Table, table_of
from archscope.rules.rule import RULES, Finding, Rule, Score

_THRESHOLD = re.compile(r"^(\w+): (.+)$")


def rule_list() -> Table:
    """Return one row for each rule."""
    return table_of(
        [RULES[code] for code in sorted(RULES)],
        (Column("code", NAME), lambda rule: rule.code),
        (Column("rule", NAME), lambda rule: rule.name),
        (Column("severity", NAME), lambda rule: rule.severity),
        (Column("fix", NAME), lambda rule: rule.fixes),
        (Column("about"), about),
    )


def rule_page(cls: type[Rule]) -> list[Part]:
    """Return the manual page of a rule."""
    fix = f", {cls.fixes} fix" if cls.fixes else ""
    paragraphs = [about(cls), f"Severity: {cls.severity}{fix}.", *details(cls)]
    parts: list[Part] = [Heading(f"{cls.code} {cls.name}"), *(f"{text}\n" for text in paragraphs)]
    rows = tuple((name, str(value), meaning) for name, value, meaning in thresholds(cls))
    if rows:
        columns = Column("threshold", NAME), Column("default", NAME), Column("meaning")
        parts.append(Table("", columns, rows))
    return parts


def rule_record(cls: type[Rule]) -> dict[str, Any]:
    """Return a rule as a record of the JSON contract."""
    return {
        "code": cls.code,
        "name": cls.name,
        "severity": cls.severity,
        "fixes": cls.fixes or None,
        "about": about(cls),
        "text": details(cls),
        "thresholds": [
            {"name": name, "default": default, "meaning": meaning}
            for name, default, meaning in thresholds(cls)
        ],
    }


def about(cls: type[Rule]) -> str:
    """Return the first sentence of a rule's documentation."""
    return cleandoc(cls.__doc__ or "").split("\n\n")[0].replace("\n", " ")


def details(cls: type[Rule]) -> list[str]:
    """Return the paragraphs that follow the first sentence, without the thresholds."""
    paragraphs = cleandoc(cls.__doc__ or "").split("\n\n")[1:]
    return [text for text in paragraphs if _threshold(cls, text.split("\n")[0]) is None]


def thresholds(cls: type[Rule]) -> list[tuple[str, Any, str]]:
    """Return name, default and meaning of each threshold."""
    lines = cleandoc(cls.__doc__ or "").splitlines()
    meanings = {match[1]: match[2] for line in lines if (match := _threshold(cls, line))}
    default = cls()
    return [(name, getattr(default, name), meanings[name]) for name in cls.__struct_fields__]


def _threshold(cls: type[Rule], line: str) -> re.Match[str] | None:
    match = _THRESHOLD.match(line)
    return match if match and match[1] in cls.__struct_fields__ else None


def statistics(findings: Iterable[Finding]) -> Table:
    """Return the number of findings of each rule, and of their layers, the most frequent first."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.code, []).append(finding)
    return table_of(
        sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])),
        (Column("code", NAME), lambda item: item[0]),
        (Column("rule", NAME), lambda item: RULES[item[0]].name),
        (Column("findings", COUNT), lambda item: len(item[1])),
        (Column("layers", COUNT), lambda item: sum(map(_layers, item[1]))),
        (Column("networks", COUNT), lambda item: len({found.network for found in item[1]})),
        (Column("fix", NAME), lambda item: RULES[item[0]].fixes),
    )


def _layers(finding: Finding) -> int:
    """Return the number of layers that a finding is about; 0 for the network as a whole."""
    return (finding.node is not None) + len(finding.others)


def score_card(cards: Sequence[tuple[str, Sequence[Score]]]) -> Table:
    """Return the scores of each network as a row; `!` marks violated guidelines."""
    codes = [score.code for score in cards[0][1]] if cards else []
    columns = (Column("network", NAME), *(Column(code, NAME) for code in codes), Column("broken"))
    rows = tuple(
        (
            name,
            *map(_score, scores),
            " ".join(score.code for score in scores if score.broken) or "none",
        )
        for name, scores in cards
    )
    limits = ("limit", *(_value(score.limit, score.unit) for score in cards[0][1]), "")
    return Table("", columns, rows, (limits,))


def _score(score: Score) -> str:
    if score.value is None:
        return "-"
    return _value(score.value, score.unit) + ("  !" if score.broken else "")


def _value(value: float, unit: str) -> str:
    if unit == "share":
        return f"{100 * value:.0f} %"
    return f"{value:.2f} x" if unit == "x" else f"{value:g}"
