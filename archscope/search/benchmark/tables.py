"""Tables of really trained networks, with all or some networks of a space."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from functools import cached_property
from math import isfinite, nan
from pathlib import Path
from statistics import fmean
from typing import Any

from msgspec import Struct

from archscope.analysis.canonical import canonical
from archscope.errors import OptionError, UnavailableError, reason_of
from archscope.metrics import MACS
from archscope.search.benchmark.truth import Known
from archscope.space.budget import Budget, cost_model, violation
from archscope.space.counting import TooManyError, plan
from archscope.space.search_space import Space


class ScoredRow(Struct, frozen=True):
    """A network of a table: a value for each decision, by path, and its score."""

    choices: dict[str, Any]
    score: float


class Table(Struct, frozen=True, dict=True):
    """The networks of a space that have scores.

    Equal networks of a whole table share the mean score of their rows.
    """

    space: Space
    rows: tuple[ScoredRow, ...]

    @cached_property
    def networks(self) -> int | None:
        """The number of networks of the space; None if they cannot be counted."""
        try:
            return plan(self.space).count
        except TooManyError:
            return None

    @cached_property
    def whole(self) -> bool:
        """Whether every network of the space has a row."""
        return len(self._by_choices) == self.networks

    @property
    def about(self) -> tuple[str, ...]:
        """A description for people, in lines."""
        of = "" if self.networks is None else f" of {self.networks:,}"
        if self.whole:
            return (f"the table has all {self.networks:,} networks of '{self.space.name}'",)
        return (
            f"the table has {len(self._by_choices):,}{of} networks of '{self.space.name}': every"
            " proposal is moved to the nearest of its rows within the budget that is not trained",
        )

    @cached_property
    def _by_choices(self) -> dict[tuple[Any, ...], float]:
        return _means((tuple(row.choices.values()), row.score) for row in self.rows)

    @cached_property
    def scores(self) -> dict[str, float]:
        """The scores of a whole table by digest."""
        graph = self.space.graph
        return _means((canonical(graph(row.choices)), row.score) for row in self.rows)

    def score(self, choices: dict[str, Any], digest: str) -> float:
        """Return the score of a network that has a row."""
        return self.scores[digest] if self.whole else self._by_choices[tuple(choices.values())]

    def inside(self, limits: Sequence[Budget]) -> Known:
        """Return what is known of the rows within budgets. Raises OptionError if there are none."""
        model = cost_model(self.space, limits)
        found = [
            (costs[MACS], self.score(row.choices, self._digest(row)))
            for row in self.rows
            if (costs := model.masked(row.choices)) and violation(limits, costs) == 0
        ]
        if not found:
            listed = " and ".join(limit.text for limit in limits)
            raise OptionError(
                f"no network of the table is within {listed}"
                if listed
                else f"no row of the table makes a network of '{self.space.name}'"
            )
        best = max(score for _, score in found)
        return Known(best, "the best row within the budget", tuple(found))

    def _digest(self, row: ScoredRow) -> str:
        return canonical(self.space.graph(row.choices)) if self.whole else ""


def _means(pairs: Any) -> dict[Any, float]:
    """Return the mean of the values of each key."""
    values: dict[Any, list[float]] = {}
    for key, value in pairs:
        values.setdefault(key, []).append(value)
    return {key: fmean(group) for key, group in values.items()}


def read_table(path: Path, networks: Space, column: str = "mean_acc") -> Table:
    """Read a table of real results.

    `arch` has a digit for each decision, in order: the index of its choice. With more than ten
    alternatives it has numbers separated by `-`. Raises ArchscopeError if the file is missing,
    lacks a column, or belongs to another space.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise UnavailableError(f"cannot read '{path}': {reason_of(error)}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise OptionError(f"cannot read '{path}': {error}") from None
    wanted = {"arch", column}
    if not rows or not wanted <= rows[0].keys():
        has = ", ".join(rows[0]) if rows else "nothing"
        raise OptionError(f"{path}: needs the columns arch and {column}, has {has}")
    return Table(
        networks,
        tuple(_row(networks, row, column, f"{path}:{line}") for line, row in enumerate(rows, 2)),
    )


def _row(networks: Space, row: dict[str, str], column: str, where: str) -> ScoredRow:
    try:
        score = float(row[column])
    except (TypeError, ValueError):
        score = nan
    if not isfinite(score):
        raise OptionError(f"{where}: {column} must be a number, got '{row[column]}'")
    return ScoredRow(networks.masked(_choices(networks, row["arch"] or "", where)), score)


def _choices(networks: Space, arch: str, where: str) -> dict[str, Any]:
    places = arch.split("-") if "-" in arch else list(arch)
    if len(places) != len(networks.decisions) or not all(place.isdecimal() for place in places):
        raise OptionError(
            f"{where}: arch must have a digit for each of the {len(networks.decisions)} decisions"
            f" of '{networks.name}', got '{arch}'"
        )
    choices = {}
    for decision, place in zip(networks.decisions, places, strict=True):
        values = decision.values()
        if int(place) >= len(values):
            raise OptionError(
                f"{where}: '{decision.path}' has {len(values)} alternatives, got '{place}'"
            )
        choices[decision.path] = values[int(place)]
    return choices
