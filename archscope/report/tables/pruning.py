"""Channel groups and pruned networks as tables."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from archscope.compress.groups import ChannelGroups, Group
from archscope.compress.pruning import Pruned
from archscope.compress.sensitivity import Sensitivities
from archscope.compress.sparsity import Sparsified
from archscope.metrics import static_metrics
from archscope.records.training import RunSummary
from archscope.report.table import COUNT, NAME, RATIO, SHARE, Column, Part, Table, table_of
from archscope.units import format_bytes

NAMED = 3
"""The most layers of a group to name."""


def group_parts(groups: ChannelGroups) -> list[Part]:
    """Return a row for each group of channels, and how many can be removed."""
    free = [group for group in groups.groups if group.removable]
    units = sum(len(group.units) for group in free)
    table = table_of(
        groups.groups,
        (Column("layers"), layers_text),
        (Column("channels", COUNT), lambda group: len(group.units) * max(group.widths)),
        (Column("units", COUNT), lambda group: len(group.units)),
        (Column("removable"), lambda group: group.why_fixed or "yes"),
        title=groups.graph.name,
    )
    line = f"{len(free)} of {len(groups.groups)} groups can lose channels, in {units:,} units"
    return [table, line]


def layers_text(group: Group) -> str:
    """Return the layers of a group, counting those beyond the first few."""
    names = ", ".join(group.layers[:NAMED])
    more = len(group.layers) - NAMED
    return f"{names} and {more} more" if more > 0 else names


def group_records(groups: ChannelGroups, removed: Collection[int] = ()) -> list[dict[str, Any]]:
    """Return the groups for programs."""
    return [
        {
            "layers": group.layers,
            "widths": group.widths,
            "units": len(group.units),
            "kept": sum(unit.root not in removed for unit in group.units),
            "removable": group.removable,
            "fixed": group.why_fixed or None,
        }
        for group in groups.groups
    ]


def pruned_parts(pruned: Pruned) -> list[Part]:
    """Return the costs before and after, and how close they are to the budgets."""
    columns = (
        Column("", NAME, "metric"),
        Column("before"),
        Column("after"),
        Column("left", SHARE),
    )
    rows: list[tuple[str, str, str, float | None]] = []
    for metric in static_metrics():
        before, after = pruned.before[metric.name], pruned.after[metric.name]
        texts = (metric.unit.format(before), metric.unit.format(after))
        rows.append((metric.name, *texts, after / before if before else None))
    for limit in pruned.limits:
        if limit.predicted_by:
            before, after = pruned.before[limit.cost], pruned.after[limit.cost]
            rows.append((limit.cost, limit.readable(before), limit.readable(after), after / before))
    changed = [
        group
        for group in pruned.groups.groups
        if any(unit.root in pruned.removed for unit in group.units)
    ]
    free = sum(group.removable for group in pruned.groups.groups)
    return [
        Table(pruned.graph.name, columns, tuple(rows)),
        *(limit_line(pruned, number) for number in range(len(pruned.limits))),
        f"{len(changed)} of {free} groups lost channels",
    ]


def limit_line(pruned: Pruned, number: int) -> str:
    """Return how close a network is to one of its budgets."""
    limit = pruned.limits[number]
    assert limit.most is not None
    value, most = pruned.after[limit.cost], limit.readable(limit.most)
    metric = f"predicted {limit.metric}" if limit.predicted_by else limit.metric
    return f"{limit.text}: {limit.readable(value)} of at most {most} {metric}," + (
        f" {100 * value / limit.most:.2f}%"
    )


def steps_table(runs: Sequence[RunSummary]) -> Table:
    """Return a row for each run, the whole network first, with costs and scores."""
    measures = list(dict.fromkeys(name for run in runs for name in run.test or {}))
    rows = tuple(
        (run.name, run.epochs, run.params, run.macs, *((run.test or {}).get(m) for m in measures))
        for run in runs
    )
    columns = (
        Column("run", NAME),
        Column("epochs", COUNT),
        Column("params", COUNT),
        Column("macs", COUNT),
        *(Column(f"test {name}", SHARE if name != "loss" else RATIO) for name in measures),
    )
    return Table("steps", columns, rows)


def pruned_record(pruned: Pruned) -> dict[str, Any]:
    """Return a pruned network for programs."""
    return {
        "name": pruned.graph.name,
        "before": pruned.before,
        "after": pruned.after,
        "budgets": [
            {
                "text": limit.text, "metric": limit.metric, "most": limit.most,
                "value": pruned.after[limit.cost],
            }
            for limit in pruned.limits
        ],
        "groups": group_records(pruned.groups, pruned.removed),
    }  # fmt: skip


def sensitivity_parts(name: str, found: Sensitivities) -> list[Part]:
    """Return the loss for each share of each group, and the least and most sensitive groups."""
    half = found.shares.index(0.5) if 0.5 in found.shares else 0
    table = Table(
        name,
        (
            Column("layers"),
            Column("units", COUNT),
            *(Column(f"without {100 * share:g} %") for share in found.shares),
            Column(f"macs saved at {100 * found.shares[half]:g} %", SHARE),
        ),
        tuple(
            (
                layers_text(each.group), len(each.group.units),
                *(f"{100 * (0 - lost):+.1f}" for lost in each.lost), each.macs_saved[half],
            )
            for each in found.groups
        ),
    )  # fmt: skip
    best, *_, worst = sorted([*found.groups, *found.groups], key=lambda each: sum(each.lost))
    return [
        table,
        f"points of accuracy of {100 * found.accuracy:.1f} %, on images that were not trained on,"
        " with the least important units of one group gone and nothing trained since",
        f"bears most: {layers_text(best.group)}; bears least: {layers_text(worst.group)}",
    ]


def sensitivity_record(name: str, found: Sensitivities) -> dict[str, Any]:
    """Return the sensitivities of the groups for programs."""
    return {
        "name": name,
        "accuracy": found.accuracy,
        "shares": found.shares,
        "groups": [
            {
                "layers": each.group.layers,
                "units": len(each.group.units),
                "lost": each.lost,
                "macs_saved": each.macs_saved,
            }
            for each in found.groups
        ],
    }


def sparse_parts(name: str, sparse: Sparsified) -> list[Part]:
    """Return the weights left in each layer, and their sizes."""
    table = table_of(
        sparse.layers,
        (Column("layer", NAME), lambda layer: layer.name),
        (Column("weights", COUNT), lambda layer: layer.weights),
        (Column("left", COUNT), lambda layer: layer.left),
        (Column("share", SHARE), lambda layer: layer.left / layer.weights),
        title=name,
    )
    return [
        table,
        f"{100 * sparse.sparsity:.2f}% of the weights of layers are zero",
        f"dense {format_bytes(sparse.dense_bytes)}, as CSR {format_bytes(sparse.csr_bytes)}, with"
        f" relative indices of 8 and 5 bits {format_bytes(sparse.relative_bytes)}"
        f" ({sparse.fillers:,} filler zeros)",
        "it does not get faster: dense kernels multiply by zeros; --budget removes whole channels",
    ]


def sparse_record(name: str, sparse: Sparsified) -> dict[str, Any]:
    """Return sparse weights for programs."""
    return {
        "name": name,
        "sparsity": sparse.sparsity,
        "dense_bytes": sparse.dense_bytes,
        "csr_bytes": sparse.csr_bytes,
        "relative_index_bytes": sparse.relative_bytes,
        "fillers": sparse.fillers,
        "layers": [
            {"name": layer.name, "weights": layer.weights, "left": layer.left}
            for layer in sparse.layers
        ],
    }
