"""Budgets on the command line: limits that turn into an exit code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click
from msgspec import Struct

from archscope.analysis import Analysis
from archscope.cli import FINDINGS, FINE
from archscope.cli.shared.options import together
from archscope.units import format_bytes, format_count, parse_bytes, parse_count

Command = TypeVar("Command", bound=Callable[..., Any])


class Limit(Struct, frozen=True):
    """The most that a network may need of something."""

    what: str
    most: int

    def over(self, result: Analysis) -> str:
        """Return a line if a network needs more, or may need it, else the empty string."""
        whole = result.totals
        used = {
            "params": whole.params,
            "macs": whole.macs,
            "memory": whole.weight_bytes + whole.peak_activation_bytes,
        }[self.what]
        readable = format_bytes if self.what == "memory" else format_count
        if used <= self.most:
            if any(self.what in one.facts for one in result.unknown):
                return (
                    f"not known to be inside the budget: {result.name}: {self.what}"
                    f" >= {readable(used)}, of {readable(self.most)}"
                )
            return ""
        return (
            f"over budget: {result.name}: {self.what} {readable(used)} > {readable(self.most)}"
            f" ({used:,} > {self.most:,})"
        )


budget_options = together(
    click.option("--max-params", metavar="COUNT", help="Exit with 1 above this: --max-params 5M."),
    click.option(
        "--max-macs", metavar="COUNT",
        help="Exit with 1 above this: --max-macs 300M; for one batch, 300MFLOPs is the same.",
    ),
    click.option(
        "--max-memory", metavar="BYTES",
        help="Exit with 1 if weights and the peak of feature maps need more: --max-memory 64MiB.",
    ),
)  # fmt: skip


def limits_of(params: str | None, macs: str | None, memory: str | None) -> list[Limit]:
    """Return the limits that options give. Raises OptionError."""
    limits = []
    if params is not None:
        limits.append(Limit("params", parse_count(params)))
    if macs is not None:
        limits.append(Limit("macs", parse_count(macs)))
        if "flop" in macs.lower():
            click.echo(f"{macs}: one FLOP for each multiply-accumulate, as papers count", err=True)
    if memory is not None:
        limits.append(Limit("memory", parse_bytes(memory)))
    return limits


def judge(results: Sequence[Analysis], limits: Sequence[Limit]) -> int:
    """Print what is over budget on standard error and return the exit code."""
    lines = [line for result in results for limit in limits if (line := limit.over(result))]
    for line in lines:
        click.echo(line, err=True)
    return FINDINGS if lines else FINE
