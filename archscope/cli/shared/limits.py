"""The options `--max-macs` and others: limits that decide the exit code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from msgspec import Struct

from archscope.analysis import Analysis
from archscope.cli import FINDINGS, FINE
from archscope.cli.shared.options import gathered, together
from archscope.cli.shared.terminal import say, warn
from archscope.errors import OptionError
from archscope.metrics import METRICS, Metric


class Limit(Struct, frozen=True):
    """The largest allowed value of a metric."""

    metric: Metric
    most: float

    def message(self, result: Analysis) -> str:
        """Return a line if a network exceeds or may exceed the limit, else an empty string."""
        name, unit = self.metric.name, self.metric.unit
        value = self.metric.of_network(result) or 0
        if value > self.most:
            return (
                f"over budget: {result.name}: {name} {unit.format(value)} >"
                f" {unit.format(self.most)} ({unit.exact(value)} > {unit.exact(self.most)})"
            )
        if any(name in unknown.facts for unknown in result.unknown):
            return (
                f"not known to be within the budget: {result.name}: {name} >="
                f" {unit.format(value)}, of {unit.format(self.most)}"
            )
        return ""


def _limits(**texts: str | None) -> list[Limit]:
    """Parse the values of the options `max_NAME`. Raises OptionError."""
    limits = []
    for option, text in texts.items():
        if text is None:
            continue
        metric = METRICS[option.removeprefix("max_")]
        try:
            most = metric.unit.parse(text)
        except OptionError as error:
            raise OptionError(f"--max-{metric.name}: {error}") from None
        limits.append(Limit(metric, round(most) if metric.unit.whole else most))
        if "flop" in text.lower():
            say(f"{text}: one FLOP for each multiply-accumulate, as in papers")
    return limits


limit_options = gathered("limits", _limits, together(
    *(
        click.option(
            f"--max-{metric.name}",
            metavar=metric.unit.kind.upper(),
            help=f"Exit with 1 above this value: --max-{metric.name} {metric.limit}"
            f" ({metric.about}).",
        )
        for metric in METRICS.values()
        if metric.limit
    )
))  # fmt: skip
"""The options `--max-NAME` of all metrics that can be limited, as the `limits` of a command."""


def with_target(costs: dict[str, Any], limits: Sequence[Limit]) -> dict[str, Any]:
    """Return the arguments of `analyze`, with the target that the limits need."""
    targets = [limit.metric.target for limit in limits if limit.metric.target]
    return {**costs, "target": costs["target"] or next(iter(targets), None)}


def exit_code(results: Sequence[Analysis], limits: Sequence[Limit]) -> int:
    """Print exceeded limits on standard error, and return the exit code."""
    lines = [line for result in results for limit in limits if (line := limit.message(result))]
    for line in lines:
        warn(line)
    return FINDINGS if lines else FINE
