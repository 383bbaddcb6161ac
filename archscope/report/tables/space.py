"""A search space as tables: its decisions, the costs of its networks and what fits the budgets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from archscope.ir import text_of
from archscope.metrics import metric_of
from archscope.records.prediction import Prediction
from archscope.report.table import COUNT, NAME, Column, Table
from archscope.report.tables.analysis import prediction_words
from archscope.space.budget import Budget
from archscope.space.decisions import Condition, Decision, word
from archscope.space.explore import Exploration, groups_of, pattern
from archscope.space.feasible_share import FeasibleShare
from archscope.space.search_space import Space

if TYPE_CHECKING:
    from archscope.space.budget_counting import Count

FOLDED = 24
"""The most decisions to list in a terminal; beyond, the instances of a hole share a row."""


def space_parts(
    space: Space, limits: Sequence[Budget], found: Exploration, *, grouped: bool
) -> list[Table | str]:
    """Return the tables and lines of a space; `grouped` folds a long list of decisions."""
    grouped = grouped and len(space.decisions) > FOLDED
    return [
        _headline(space, found),
        decision_table(space, grouped=grouped),
        _range_table(found),
        *_invalid_line(found),
        *_budget_lines(limits, found),
    ]


def _headline(space: Space, found: Exploration) -> str:
    number = f"{found.networks:,}"
    if len(number) > 12 and found.networks < 10**300:
        number += f" ({found.networks:.2e})"
    if not found.exact:
        number = f"at most {number}"
    endless = " for each value of the decisions without end" if found.endless else ""
    decisions = len(space.decisions)
    return (
        f"{space.name}: {number} networks{endless}, {decisions} decision{'s' * (decisions != 1)},"
        f" at {_shapes(found)}"
    )


def _invalid_line(found: Exploration) -> list[str]:
    """Return how many of the networks counted make none, unless the line of the budgets does."""
    if not found.invalid or (found.share is not None and found.share.invalid):
        return []
    drawn = "" if found.evaluated == found.networks else " drawn"
    return [
        f"{found.invalid:,} of {found.evaluated:,}{drawn} combinations of choices make no network"
    ]


def _shapes(found: Exploration) -> str:
    """Return the input shapes of the smallest and the largest network, or one if equal."""
    return " to ".join(" and ".join(map(text_of, shapes)) for shapes in found.inputs)


def predicted_line(
    networks: int, lowest: Prediction, median: Prediction, highest: Prediction
) -> str:
    """Return the predictions for networks drawn from a space."""
    unlike = "; ".join(median.unlike)
    marked = f"; unlike anything that it was fitted on: {unlike}" if unlike else ""
    return (
        f"predicted ImageNet top-1 of {networks} networks drawn from those that fit:"
        f" {lowest.mean:.1f} to {highest.mean:.1f} %, median {median.mean:.1f} %"
        f" ({prediction_words(median)}); not measured{marked}"
    )


def decision_table(space: Space, *, grouped: bool) -> Table:
    """Return a row for each decision, or for each hole with all its instances."""
    groups = groups_of(space) if grouped else [[decision] for decision in space.decisions]
    instances = [Column("instances", COUNT)] if grouped else []
    columns = (
        Column("decision", NAME),
        *instances,
        Column("alternatives"),
        Column("counts when", key="counts_when"),
    )
    rows = tuple(
        (
            pattern([decision.path for decision in group]),
            *(len(group) for _ in instances),
            group[0].text,
            _when(group),
        )
        for group in groups
    )
    return Table("", columns, rows)


def _when(group: Sequence[Decision]) -> str:
    """Return when the decisions of a hole count, in one line, if all agree."""
    texts = dict.fromkeys(map(conditions, group))
    return next(iter(texts)) if len(texts) == 1 else "its instance is there"


def conditions(decision: Decision) -> str:
    """Return when a decision counts; "" for always."""
    return " or ".join(" and ".join(map(_condition, ways)) for ways in decision.when if ways)


def _condition(condition: Condition) -> str:
    if condition.allowed is None:
        return "shapes allow"
    if len(condition.paths) > 1:
        return f"{', '.join(condition.paths)} fit ({len(condition.allowed)} ways)"
    values = sorted(
        (row[0] for row in condition.allowed), key=lambda value: (str(type(value)), value)
    )
    return f"{condition.paths[0]} is {' or '.join(map(word, values))}"


def _range_table(found: Exploration) -> Table:
    columns = tuple(
        Column(name, NAME) if name == "cost" else Column(name)
        for name in ("cost", "least", "median", "most", "ends")
    )
    rows = []
    for span in found.ranges:
        unit = metric_of(span.metric).unit
        middle = span.middle
        if middle is not None and unit.whole:
            middle = round(middle)
        rows.append(
            (
                span.metric,
                unit.format(span.least),
                "" if middle is None else unit.format(middle),
                unit.format(span.most),
                "of all networks" if span.exact else "found, one hole moved at a time",
            )
        )
    return Table("costs for one image", columns, tuple(rows))


def _budget_lines(limits: Sequence[Budget], found: Exploration) -> list[str]:
    """Return the meaning of the budgets, how many networks fit, and which decisions to relax."""
    lines = [limit.meaning(_shapes(found)) for limit in limits]
    if found.share is not None:
        if not found.share.exact:
            lines += [_count_line(count, found.networks) for count in found.counts]
        lines.append(_share_line(found.share))
        if found.example is not None and not found.share.inside:
            lines.append("one that fits was found by moving others towards the budgets")
    for limit in found.blocking:
        span = next(span for span in found.ranges if span.metric == limit.cost)
        lines.append(
            f"no network was found within '{limit.text}': {span.metric} from"
            f" {limit.readable(span.least)} to {limit.readable(span.most)}"
        )
        lines += [
            f"  relax {relaxation.path}, now at {relaxation.value}: one value on moves"
            f" {limit.readable(relaxation.step)}"
            for relaxation in found.relax.get(limit.cost, ())
        ]
    return lines


def _count_line(count: Count, networks: int) -> str:
    """Return how many networks fit a budget, exactly or by bounds."""
    if count.least == count.most:
        share = f"{100 * count.most / networks:.5g} %"
        return f"{count.budget.text}: {count.most:,} of {networks:,} networks ({share}), exactly"
    low, high = (100 * number / networks for number in (count.least, count.most))
    return (
        f"{count.budget.text}: proved to be {low:.3g} to {high:.3g} % of the networks;"
        " there are too many costs to tell them all apart"
    )


def _share_line(share: FeasibleShare) -> str:
    low, high = 100 * share.low, 100 * share.high
    if share.exact:
        line = (
            f"{share.inside:,} of {share.seen:,} networks fit ({100 * share.share:.5g} %), exactly"
        )
    elif share.within:
        line = (
            f"{100 * share.share:.4g} % of the networks fit (95 % interval {low:.3g} to {high:.3g}"
            f" %), by {share.seen:,} drawn uniformly from those of '{share.within}'"
        )
    else:
        line = (
            f"{100 * share.share:.3g} % of {share.seen:,} networks drawn fit"
            f" (95 % interval {low:.2g} to {high:.2g} %)"
        )
    invalid = f"; {share.invalid:,} of them make no network" if share.invalid else ""
    return line + invalid


def space_data(space: Space, limits: Sequence[Budget], found: Exploration) -> dict[str, Any]:
    """Return a space for JSON; the number of networks is text, as it may be large."""
    example = found.example and {
        "choices": found.example.choices,
        "costs": {span.metric: found.example.costs.get(span.metric) for span in found.ranges},
    }
    return {
        "format": 1,
        "name": space.name,
        "input": _shapes(found),
        "networks": str(found.networks),
        "exact": found.exact,
        "endless": found.endless,
        "evaluated": found.evaluated,
        "invalid": found.invalid,
        "decisions": [
            {
                "path": decision.path, "kind": decision.kind,
                "alternatives": decision.alternatives or None, "labels": decision.labels or None,
                "low": decision.low, "high": decision.high, "step": decision.step,
                "log": decision.log, "counts_when": conditions(decision) or None,
                "at": decision.at,
            }
            for decision in space.decisions
        ],
        "costs": found.ranges,
        "budgets": limits,
        "share": found.share,
        "counts": [
            {"budget": count.budget.text, "least": str(count.least), "most": str(count.most)}
            for count in found.counts
        ],
        "example": example,
        "blocking": [limit.text for limit in found.blocking],
        "relax": found.relax,
    }  # fmt: skip
