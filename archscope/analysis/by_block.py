"""Fold layers into one row per block."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from archscope.analysis.result import LayerReport

SUMMED = (
    "params", "buffers", "macs", "counted", "elementwise", "activations", "memory_access",
    "memory_access_bytes",
)  # fmt: skip


def fold(layers: Sequence[LayerReport], depth: int) -> tuple[LayerReport, ...]:
    """Fold every block at nesting depth `depth` into one row.

    A folded row has the sums of its layers, the output of the last one, and the number of layers
    in place of an operator. Depth 0 or less keeps every layer.
    """
    if depth < 1:
        return tuple(layers)
    groups: dict[str, list[LayerReport]] = {}
    for layer in layers:
        groups.setdefault(row_of(layer.name, depth), []).append(layer)
    return tuple(_one(name, group) for name, group in groups.items())


def row_of(name: str, depth: int) -> str:
    """Return the name of the block at nesting depth `depth` that a layer is folded into."""
    return name if depth < 1 else ".".join(name.split(".")[:depth])


def fitting_depth(layers: Sequence[LayerReport], rows: int) -> int:
    """Return the largest depth that leaves at most `rows` rows; 0 if no folding is needed."""
    if len(layers) <= rows:
        return 0
    paths = [layer.name.split(".") for layer in layers]
    deepest = max(map(len, paths))
    fits = [
        depth for depth in range(2, deepest) if len({tuple(path[:depth]) for path in paths}) <= rows
    ]
    return max(fits, default=1)


def _one(name: str, group: list[LayerReport]) -> LayerReport:
    if len(group) == 1:
        return group[0]
    sums = {key: sum(getattr(layer, key) for layer in group) for key in SUMMED}
    last = group[-1]
    back = [layer.backward_macs for layer in group]
    known = [part for part in back if part is not None]
    return structs.replace(
        last,
        name=name,
        scope=name.rpartition(".")[0],
        op=f"{len(group)} layers",
        inputs=group[0].inputs,
        ins=group[0].ins,
        shares=None,
        in_place=False,
        at=group[0].at,
        kernel=(),
        stride=(),
        backward_macs=sum(known) if len(known) == len(back) else None,
        **sums,
    )
