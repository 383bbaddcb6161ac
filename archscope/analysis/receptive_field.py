"""Receptive fields: the part of the input that each value depends on.

The method is that of Araujo, Norris and Sim, "Computing receptive fields of convolutional neural
networks", Distill 2019, made exact for graphs: along each axis a node has the interval of input
positions that it sees, as the union over all paths, and its stride. If upsampling makes neighbours
see different intervals, there is one interval for each phase of the repeating pattern, so that
strides are rational and nothing is rounded. Intervals extend into the padding beyond the input.
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd

from msgspec import Struct

from archscope.axes import Axis, Window
from archscope.ir import Graph, Node


class Reach(Struct, frozen=True, gc=False):
    """The inputs seen along one axis by outputs 0, 1, ... of a repeating pattern.

    Output `turn * period + phase` sees `lefts[phase]` to `rights[phase]`, both shifted by
    `turn * jump`. None marks outputs that see nothing, as between the windows of a transposed
    convolution.
    """

    lefts: tuple[int | None, ...]
    rights: tuple[int | None, ...]
    jump: int

    @property
    def period(self) -> int:
        """The number of outputs in the pattern."""
        return len(self.lefts)

    @property
    def size(self) -> int:
        """The number of inputs seen by the output that sees most."""
        if len(self.lefts) == 1 and self.lefts[0] is not None and self.rights[0] is not None:
            return self.rights[0] - self.lefts[0] + 1
        pairs = zip(self.lefts, self.rights, strict=True)
        return max(
            (right - left + 1 for left, right in pairs if left is not None and right is not None),
            default=0,
        )

    @property
    def padding(self) -> int:
        """The number of positions before the input that output 0 sees."""
        return -(self.lefts[0] or 0)

    @property
    def stride(self) -> int | str:
        """The input distance of two neighbouring outputs: an integer, or a fraction like `1/2`."""
        shared = gcd(self.jump, self.period)
        top, bottom = self.jump // shared, self.period // shared
        return top if bottom == 1 else f"{top}/{bottom}"

    def at(self, position: int) -> tuple[int, int] | None:
        """Return the first and last input seen by an output, or None."""
        turn, phase = divmod(position, self.period)
        left, right = self.lefts[phase], self.rights[phase]
        if left is None or right is None:
            return None
        return left + turn * self.jump, right + turn * self.jump


LONGEST_PATTERN = 1 << 14
"""The longest pattern of outputs that is followed; longer ones are marked as unknown."""

ITSELF = Reach((0,), (0,), 1)
POINT = Window()


class Field(Struct, frozen=True, gc=False):
    """What a node sees. `axes` is None if every output sees the whole input."""

    axes: tuple[Reach, ...] | None
    narrowest: tuple[Reach, ...] | None  # along the path that sees least
    gated: bool = False  # a parallel branch saw the whole input: a gate such as squeeze-excitation
    known: bool = True  # False after branches of unequal stride, which have no common window
    bound: bool = False  # it may see less, behind an operator that rearranges positions


EVERYTHING = Field(None, None)
AT_MOST_EVERYTHING = Field(None, None, bound=True)
LOST = Field(None, None, known=False)
"""That of all nodes behind an operator that was not recognised: nothing is known of it."""


class Clash(Struct, frozen=True):
    """A merge of branches whose receptive fields do not line up."""

    node: str
    kind: str  # "unequal stride" or "shifted centre"
    branches: tuple[str, ...]


class ReceptiveFields(Struct, frozen=True):
    """The fields of all nodes that depend on one input."""

    source: str
    fields: dict[str, Field]
    clashes: tuple[Clash, ...]

    def trunk(self, graph: Graph, output: str = "") -> str | None:
        """Return the last node with a spatial extent on the way to an output.

        The main output is the default. Returns None if there is no such node or it is unknown.
        """
        wanted = graph.ancestors(output or graph.main.node)
        lost = [name for name, field in self.fields.items() if field is LOST]
        if any(name in wanted for name in lost):
            return None
        for node in reversed(graph.nodes):
            field = self.fields.get(node.name)
            if field is not None and field.axes is not None and node.name in wanted:
                return node.name
        return None


def receptive_fields(graph: Graph, source: str | None = None) -> ReceptiveFields:
    """Return the receptive field of every node in an input, by default the first."""
    start = graph.by_name[source] if source else graph.inputs[0]
    spatial = len(start.out) - 1
    itself = (ITSELF,) * spatial
    fields = {start.name: Field(itself, itself) if spatial else EVERYTHING}
    clashes: list[Clash] = []
    for node, facts in zip(graph.nodes, graph.facts.values(), strict=True):
        if len(node.inputs) == 1:
            field = fields.get(node.inputs[0])
        else:
            entering = [name for name in node.inputs if name in fields]
            field = _merge(node, entering, fields, clashes) if entering else None
        if field is None:
            continue
        window = facts.window
        if field is LOST or "window" in node.op.unknown:
            field = LOST
        elif window is None or (node.op.pools and _covers(node, window)):
            everything = field.axes is None and not field.bound  # wherever it is taken from
            # A vector has no positions that could see less than it does as a whole.
            loose = node.op.may_see_less and len(node.out) > 1 and not everything
            field = AT_MOST_EVERYTHING if loose else EVERYTHING
        elif window and window != (POINT,) * len(window) and field.axes and field.narrowest:
            axes = _seen(field.axes, window)
            same = field.narrowest is field.axes
            low = axes if same else _seen(field.narrowest, window)
            known = field.known and _bounded(axes) and (same or _bounded(low))
            field = Field(axes, low, field.gated, known) if known else _unknown(field)
        fields[node.name] = field
    return ReceptiveFields(start.name, fields, tuple(clashes))


def _covers(node: Node, window: tuple[Axis, ...]) -> bool:
    """Return whether a single window covers the whole map, as in global pooling."""
    sizes = node.ins[0][1:]
    return set(node.out[1:]) == {1} != set(sizes) and all(
        type(axis) is Window and axis.dilation == 1 and axis.extent - axis.before >= size
        for axis, size in zip(window, sizes, strict=True)
    )


def _unknown(field: Field) -> Field:
    return Field(field.axes, field.narrowest, field.gated, known=False)


def _bounded(axes: tuple[Reach, ...]) -> bool:
    """Return whether all patterns were short enough to follow."""
    return all(axis.lefts for axis in axes)


def _seen(axes: tuple[Reach, ...], window: tuple[Axis, ...]) -> tuple[Reach, ...]:
    """Return the reach after one more window, along all axes."""
    first = _seen_through(axes[0], window[0])
    if all(axis is axes[0] for axis in axes) and all(side == window[0] for side in window):
        return (first,) * len(axes)  # most networks are square
    return tuple(map(_seen_through, axes, window))


@lru_cache(maxsize=1 << 14)
def _seen_through(reach: Reach, axis: Axis) -> Reach:
    """Return the reach after one more window, along one axis."""
    if reach.period == 1 and type(axis) is Window:
        (left,), (right,) = reach.lefts, reach.rights
        assert left is not None and right is not None
        first = -axis.before * reach.jump
        last = (axis.extent - 1 - axis.before) * reach.jump
        return Reach((left + first,), (right + last,), reach.jump * axis.stride)
    turns = reach.period // gcd(axis.step, reach.period)
    if axis.period * turns > LONGEST_PATTERN:
        return Reach((), (), 0)
    lefts: list[int | None] = []
    rights: list[int | None] = []
    for position in range(axis.period * turns):
        taps = axis.taps(position)
        if reach.period == 1:
            taps = taps[:: max(len(taps) - 1, 1)]  # the outermost taps decide
        seen = [pair for pair in map(reach.at, taps) if pair is not None]
        lefts.append(min((left for left, _ in seen), default=None))
        rights.append(max((right for _, right in seen), default=None))
    return Reach(tuple(lefts), tuple(rights), reach.jump * axis.step * turns // reach.period)


def _merge(
    node: Node, entering: list[str], fields: dict[str, Field], clashes: list[Clash]
) -> Field:
    """Return the union of what branches see; a branch that sees everything is a gate.

    So is a branch with fewer positions, which every output sees alike.
    """
    if any(fields[name] is LOST for name in entering):
        return LOST
    extent = node.out[1:]
    spread = [name for name, x in zip(node.inputs, node.ins, strict=True) if x[1:] != extent]
    local = [name for name in entering if fields[name].axes is not None and name not in spread]
    if not local:
        whole = any(fields[name].axes is None and not fields[name].bound for name in entering)
        return EVERYTHING if whole else AT_MOST_EVERYTHING
    gated = len(local) < len(entering) or any(fields[name].gated for name in local)
    known = all(fields[name].known for name in local)
    first = fields[local[0]]
    assert first.axes is not None and first.narrowest is not None
    axes = first.axes
    narrowest = first.narrowest
    for name in local[1:]:
        field = fields[name]
        assert field.axes is not None and field.narrowest is not None
        if field is not first:
            kind = _clash(axes, field.axes)
            clash = Clash(node.name, kind, tuple(local))
            if kind and clash not in clashes[-1:]:  # report a merge once
                clashes.append(clash)
            longest = max(map(_shared_period, axes, field.axes))
            if kind == "unequal stride" or longest > LONGEST_PATTERN:
                return Field(axes, narrowest, gated, known=False)
            axes = tuple(map(_union, axes, field.axes))
        if sum(r.size for r in field.narrowest) < sum(r.size for r in narrowest):
            narrowest = field.narrowest
    merged = Field(axes, narrowest, gated, known)
    return first if merged == first else merged


@lru_cache(maxsize=1 << 12)
def _clash(first: tuple[Reach, ...], second: tuple[Reach, ...]) -> str:
    """Return how two branches do not line up; "" if they do."""
    for a, b in zip(first, second, strict=True):
        if a.jump * b.period != b.jump * a.period:
            return "unequal stride"
    for a, b in zip(first, second, strict=True):
        if a.period == b.period == 1 and a.at(0) and b.at(0):
            (left, right), (low, high) = a.at(0) or (0, 0), b.at(0) or (0, 0)
            if left + right != low + high:
                return "shifted centre"
    return ""


def _shared_period(first: Reach, second: Reach) -> int:
    return first.period * second.period // gcd(first.period, second.period)


@lru_cache(maxsize=1 << 14)
def _union(first: Reach, second: Reach) -> Reach:
    """Return the smallest reach that covers two reaches of equal stride."""
    period = _shared_period(first, second)
    lefts: list[int | None] = []
    rights: list[int | None] = []
    for position in range(period):
        seen = [pair for pair in (first.at(position), second.at(position)) if pair is not None]
        lefts.append(min((left for left, _ in seen), default=None))
        rights.append(max((right for _, right in seen), default=None))
    return Reach(tuple(lefts), tuple(rights), first.jump * period // first.period)
