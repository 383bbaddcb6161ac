"""`archscope rule`: the manual pages of the linter's rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from archscope.cli import FINE
from archscope.cli.shared.options import output_options, show
from archscope.errors import OptionError, did_you_mean
from archscope.report.tables.rule_pages import about, overview, page, text, thresholds
from archscope.rules.rule import RULES, Rule

GROUP = "Reference"


@click.command("rule")
@click.argument("codes", nargs=-1, metavar="[CODE]...")
@click.option("--all", "everything", is_flag=True, help="Show the page of every rule.")
@output_options
def command(codes: tuple[str, ...], everything: bool, form: str, output: Path | None) -> int:
    """Explain the linter's rules: why, from when on, what helps, and where it comes from.

    \b
    Examples:
      archscope rule
      archscope rule G1 bias-before-norm
      archscope rule --all --format markdown -o rules.md
    """
    names = {cls.name: code for code, cls in RULES.items()}
    chosen = [names.get(code, code.upper()) for code in codes] or sorted(RULES)
    for given, code in zip(codes, chosen, strict=False):
        if code not in RULES:
            hint = did_you_mean(given, {*RULES, *names})
            raise OptionError(f"no rule is called '{given}'{hint}")
    parts: list[Any] = [overview()]
    if codes or everything:
        parts = [part for code in chosen for part in page(RULES[code], form == "markdown")]
    show(parts, form, output, lambda: {"format": 1, "rules": [_data(RULES[c]) for c in chosen]})
    return FINE


def _data(cls: type[Rule]) -> dict[str, Any]:
    return {
        "code": cls.code,
        "name": cls.name,
        "severity": cls.severity,
        "fixes": cls.fixes or None,
        "about": about(cls),
        "text": text(cls),
        "thresholds": [
            {"name": name, "default": default, "meaning": meaning}
            for name, default, meaning in thresholds(cls)
        ],
    }
