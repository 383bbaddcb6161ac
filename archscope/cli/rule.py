"""`archscope rule`: explain the linter's rules."""

from __future__ import annotations

import click

from archscope.cli.shared import completion
from archscope.cli.shared.options import Output, output_options
from archscope.errors import OptionError, did_you_mean
from archscope.report.table import Part
from archscope.report.tables.rules import rule_list, rule_page, rule_record
from archscope.rules.rule import RULES

GROUP = "Reference"


@click.command("rule")
@click.argument(
    "codes", nargs=-1, metavar="[CODE]...", shell_complete=completion.names(lambda: sorted(RULES))
)
@click.option("--all", "everything", is_flag=True, help="Show the page of every rule.")
@output_options
def command(codes: tuple[str, ...], everything: bool, output: Output) -> None:
    """List the linter's rules, or explain some: what is wrong, from which threshold, what helps.

    A rule is named by its code or by its name. `archscope lint` runs them.

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
            hint = did_you_mean(given, {*RULES, *names}) or "; 'archscope rule' lists them"
            raise OptionError(f"no rule is called '{given}'{hint}")
    rules = [RULES[code] for code in chosen]
    parts: list[Part] = [rule_list()]
    if codes or everything:
        parts = [part for rule in rules for part in rule_page(rule)]
    output.show(parts, lambda: {"format": 1, "rules": list(map(rule_record, rules))})
