"""Attention: whole heads, and the widths of queries with keys and of values within all heads.

A head goes with its queries, keys and values. If heads become narrower, the scores keep their
scale.
"""

from __future__ import annotations

from typing import Any

from msgspec import structs

from archscope.compress.channels import Axes, Channels, Flow, Tracker, refined
from archscope.compress.operators.axes import along_axes, complete, summed
from archscope.compress.operators.dispatch import (
    AxesOfIns,
    Counter,
    Ins,
    flow,
    follow,
    meet,
    narrowed,
)
from archscope.ir import Node, Op
from archscope.ops.attention import DotProductAttention, WindowAttention
from archscope.ops.product import ScaledDotProductAttention


class _Heads:
    """Queries, keys or values: the slices of their channels along heads and within heads."""

    def __init__(self, channels: Channels, heads: int, node: Node, tracker: Tracker) -> None:
        self.sizes = (heads, len(channels) // heads)
        factors = tracker.factors(len(channels), channels)
        why = f"'{node.name}' ({node.op.name}) has other heads"
        self.heads, self.width = refined(factors, self.sizes, tracker, why)


@flow.register
def _(op: DotProductAttention, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    few = op.key_heads or op.heads
    parts = ins
    if len(ins) == 1:
        (x,) = ins
        width = len(x) // (op.heads + 2 * few)
        ends = (op.heads * width, (op.heads + few) * width)
        parts = (x[: ends[0]], x[ends[0] : ends[1]], x[ends[1] :])
    q, k, v = (
        _Heads(part, heads, node, tracker)
        for part, heads in zip(parts, (op.heads, few, few), strict=True)
    )
    each = op.heads // few
    if q.heads is not None:
        tracker.tie_parts(q.heads, each)
    served = q.heads if q.heads is None else q.heads[::each]
    summed(tracker, node, served, k.heads)
    summed(tracker, node, served, v.heads)
    summed(tracker, node, q.width, k.width)
    if len(ins) == 1:
        summed(tracker, node, k.width, v.width)
    out = tracker.merge(((op.heads, q.heads), (v.sizes[1], v.width)))
    return Flow(ins, _or_whole(out, node, tracker), counts=_counts(q.heads, served, q.width))


@flow.register
def _(op: WindowAttention, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    (x,) = ins
    third = len(x) // 3
    q, k, v = (
        _Heads(x[start : start + third], op.heads, node, tracker) for start in (0, third, 2 * third)
    )
    for other in (k, v):
        summed(tracker, node, q.heads, other.heads)
        summed(tracker, node, q.width, other.width)
    out = _or_whole(tracker.merge(((op.heads, q.heads), (q.sizes[1], q.width))), node, tracker)
    weights = {"relative_position_bias_table": (None, q.heads)} if op.relative_bias else {}
    return Flow(ins, out, weights, counts=_counts(q.heads, q.heads, q.width))


def _or_whole(channels: Channels | None, node: Node, tracker: Tracker) -> Channels:
    if channels is not None:
        return channels
    return tracker.whole(node.out[0], f"'{node.name}' ({node.op.name}) has positions there")


def _counts(
    heads: Channels | None, key_heads: Channels | None, width: Channels | None
) -> dict[str, Channels]:
    found = {"heads": heads, "key_heads": key_heads, "width": width}
    return {name: channels for name, channels in found.items() if channels is not None}


@narrowed.register(DotProductAttention)
@narrowed.register(WindowAttention)
def _(op: DotProductAttention | WindowAttention, flow: Flow, kept: Counter) -> Op:
    words: dict[str, Any] = {}
    if "heads" in flow.counts:
        words["heads"] = kept(flow.counts["heads"])
        if isinstance(op, DotProductAttention) and op.key_heads:
            words["key_heads"] = kept(flow.counts["key_heads"])
    words |= _scale(op.scale, flow, kept)
    return structs.replace(op, **words)


def _scale(scale: float | None, flow: Flow, kept: Counter) -> dict[str, float]:
    """Return the scale of the scores, for heads that become narrower."""
    width = flow.counts.get("width")
    if scale is not None or width is None or kept(width) == len(width):
        return {}
    return {"scale": len(width) ** -0.5}


@follow.register
def _(op: ScaledDotProductAttention, node: Node, ins: AxesOfIns, tracker: Tracker) -> Flow:
    q, k, v = (complete(axes, len(x)) for axes, x in zip(ins, node.ins, strict=True))
    rank = len(q)
    front = tuple(
        meet(tracker, node, axis, (q[axis], k[axis], v[axis])) for axis in range(rank - 2)
    )
    summed(tracker, node, q[-1], k[-1])
    for positions in (q[-2], k[-2], v[-2]):
        tracker.fix(positions, f"'{node.name}' ({op.name}) attends to all of them")
    out = (*front, q[-2], v[-1])
    found = along_axes(node, ins, out, tracker)
    counts = {} if q[-1] is None else {"width": q[-1]}
    if op.mask is None:
        return structs.replace(found, counts=counts)
    scores = (*front, None, None)[rank - len(op.mask) :]
    mask: Axes = tuple(
        None if size == 1 else channels for size, channels in zip(op.mask, scores, strict=True)
    )
    return structs.replace(found, weights={"mask": mask}, counts=counts)


@narrowed.register
def _(op: ScaledDotProductAttention, flow: Flow, kept: Counter) -> Op:
    words: dict[str, Any] = {**_scale(op.scale, flow, kept)}
    if op.mask is not None:
        axes = flow.weights["mask"]
        words["mask"] = tuple(
            size if channels is None else kept(channels)
            for size, channels in zip(op.mask, axes, strict=True)
        )
    return structs.replace(op, **words)
