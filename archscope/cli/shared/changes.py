"""The option `--max-change macs=+5%` and the changes that it allows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import ceil, floor, isfinite, nan

import click
from msgspec import Struct

from archscope.analysis.difference import LayerChange
from archscope.analysis.result import Analysis
from archscope.cli.shared.options import gathered
from archscope.errors import OptionError, did_you_mean
from archscope.metrics import METRICS, Metric
from archscope.report.tables.difference import change_text

_CHANGE = re.compile(r"(?P<sign>[+-]?)(?P<amount>.+)")


class AllowedChange(Struct, frozen=True):
    """The most that a metric may get worse, as a share of its old value or as an amount."""

    metric: Metric
    share: float | None
    amount: float | None
    text: str

    def failure(
        self, before: Analysis, after: Analysis, changes: Sequence[LayerChange]
    ) -> tuple[str, ...]:
        """Return three lines if the change is larger than allowed: what, where, how to allow it.

        An unknown change counts as larger.
        """
        old, new = self.metric.of_network(before), self.metric.of_network(after)
        name, unit = self.metric.name, self.metric.unit
        lacking = any(name in kind.facts for net in (before, after) for kind in net.unknown)
        if old is None or new is None or lacking:
            where = f"{before.name} -> {after.name}"
            return (
                f"over the allowed change: {name} is not known: {where}",
                "some operators are not recognised, or the network sees the whole input",
                f"archscope analyze shows which; allowed was {self.text}",
            )
        limit = self.amount if self.share is None else self.share * old
        assert limit is not None
        worse = new - old if self.metric.better != "more" else old - new
        allowed = limit if self.metric.better != "more" else -limit
        if worse <= allowed:
            return ()
        change = change_text(self.metric, old, new)
        return (
            f"over the allowed change: {name} {unit.format(old)} -> {unit.format(new)},"
            f" {change}, allowed {self.text}",
            _where(name, changes),
            f"to accept it: --max-change {name}={_accepted(self, old, new)}",
        )


def _accepted(change: AllowedChange, old: float, new: float) -> str:
    """Return the smallest value of the option that allows the change."""
    if change.share is None or not old:
        unit = "B" if change.metric.unit.kind == "bytes" else ""
        return f"{new - old:+}{unit}"
    hundredths = 10000 * (new / old - 1)
    rounded = floor(hundredths) if change.metric.better == "more" else ceil(hundredths)
    return f"{f'{rounded / 100:+.2f}'.rstrip('0').rstrip('.')}%"


def _where(name: str, changes: Sequence[LayerChange]) -> str:
    """Return the layer whose macs or params change most in the direction of the total."""
    key = "params" if name in ("params", "weights", "flash") else "macs"
    direction = 1 if sum(_grown(change, key) for change in changes) >= 0 else -1
    most = max(changes, key=lambda change: direction * _grown(change, key), default=None)
    if most is None or not _grown(most, key):
        return "the params and macs of all layers are the same"
    grown = _grown(most, key)
    unit = METRICS[key].unit
    sign = "+" if grown > 0 else "-"
    return f"largest change of {key}: {most.name} ({most.kind}), {sign}{unit.format(abs(grown))}"


def _grown(change: LayerChange, key: str) -> int:
    old, new = change.params if key == "params" else change.macs
    return new - old


def _allowed(texts: Sequence[str]) -> list[AllowedChange]:
    """Parse the values of the option. Raises OptionError."""
    return [_parsed(text) for text in texts]


def _parsed(text: str) -> AllowedChange:
    name, equals, value = text.partition("=")
    words = {word: metric for metric in METRICS.values() if metric.is_computed
             for word in (metric.name, metric.key, *metric.words)}  # fmt: skip
    metric = words.get(name.strip().lower())
    match = _CHANGE.fullmatch(value.strip())
    if not equals or match is None:
        raise OptionError(f"--max-change needs NAME=CHANGE such as macs=+5%, got '{text}'")
    if metric is None:
        hint = did_you_mean(name.strip().lower(), words)
        raise OptionError(f"--max-change {text}: no metric '{name.strip()}'{hint}")
    sign = -1 if match["sign"] == "-" else 1
    amount = match["amount"].strip()
    if amount.endswith("%"):
        try:
            share = float(amount[:-1]) / 100
        except ValueError:
            share = nan
        if not isfinite(share):
            raise OptionError(f"--max-change {text}: expected a share such as +5%")
        return AllowedChange(metric, sign * share, None, value.strip())
    if amount == "0":
        return AllowedChange(metric, None, 0.0, value.strip())
    try:
        return AllowedChange(metric, None, sign * metric.unit.parse(amount), value.strip())
    except OptionError as error:
        raise OptionError(f"--max-change {text}: {error}") from None


change_options = gathered(
    "allowed",
    lambda max_change: _allowed(max_change),
    click.option(
        "--max-change", multiple=True, metavar="NAME=CHANGE",
        help="Exit with 1 if a metric gets worse by more than this: macs=+5%, params=+100K, peak=0;"
        " repeatable.",
    ),
)  # fmt: skip
"""The option `--max-change`, as the `allowed` changes of a command."""
