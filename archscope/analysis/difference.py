"""Compare two networks layer by layer."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Sequence
from difflib import SequenceMatcher
from typing import Any, Literal

from msgspec import Struct, structs

from archscope.analysis.result import Analysis, LayerReport
from archscope.ir import Graph, Node

Kind = Literal["added", "removed", "changed", "reshaped", "renamed"]


class LayerChange(Struct, frozen=True):
    """A layer that differs between two networks.

    A `changed` layer has other attributes, another operator or other inputs; in a `reshaped` one
    only the shapes differ, because of a change before it or of the input; in a `renamed` one only
    the name.
    """

    kind: Kind
    old: str | None
    new: str | None
    op: str
    attributes: dict[str, tuple[Any, Any]]  # that differ: before and after
    params: tuple[int, int]  # before and after; 0 if the layer does not exist
    macs: tuple[int, int]

    @property
    def name(self) -> str:
        """The name in the new network, or else in the old one."""
        return self.new or self.old or ""


def difference(
    old: Graph, new: Graph, before: Analysis, after: Analysis
) -> tuple[LayerChange, ...]:
    """Return the layers that differ, in the order of the new network.

    Layers with equal name, operator and shapes match. The layers between them are aligned by
    operator and shapes, then by name, and then by kind of operator, in order.
    """
    counts = [{layer.name: layer for layer in each.layers} for each in (before, after)]
    sides = [
        [node for node in graph.nodes if node.name in known]
        for graph, known in zip((old, new), counts, strict=True)
    ]
    names: dict[str, str] = {}  # from old names to new ones
    changes = []
    for first, second in (pairs := _aligned(*sides)):
        if first is not None and second is not None:
            names[first.name] = second.name
    for first, second in pairs:
        found = _change(first, second, names, *counts)
        if found is not None:
            changes.append(found)
    return tuple(changes)


def origins(old: Graph, new: Graph) -> dict[str, str]:
    """Return the layer of the old network that each layer of the new one comes from, by name.

    Networks of the same operators in the same order, as pruning leaves them, are matched by their
    places, whatever their layers are called; others as `difference` aligns them.
    """
    kinds = [[type(node.op) for node in graph.nodes] for graph in (old, new)]
    names = [[node.name for node in graph.nodes] for graph in (old, new)]
    pairs: Sequence[Pair]
    # The same names in another order say which layer is which.
    if kinds[0] == kinds[1] and (names[0] == names[1] or {*names[0]} != {*names[1]}):
        pairs = [*zip(old.nodes, new.nodes, strict=True)]
    else:
        pairs = _aligned(old.nodes, new.nodes)
    return {second.name: first.name for first, second in pairs if first and second}


Pair = tuple[Node | None, Node | None]


def _aligned(old: Sequence[Node], new: Sequence[Node]) -> list[Pair]:
    """Return matching nodes as pairs, with None for nodes that are in one network only."""
    pairs: list[Pair] = []
    start = (0, 0)
    for place in [*_anchors(old, new), (len(old), len(new))]:
        pairs += _between(old[start[0] : place[0]], new[start[1] : place[1]])
        if place[0] < len(old):
            pairs.append((old[place[0]], new[place[1]]))
        start = place[0] + 1, place[1] + 1
    return pairs


def _key(node: Node) -> Hashable:
    return node.op, node.ins


def _anchors(old: Sequence[Node], new: Sequence[Node]) -> list[tuple[int, int]]:
    """Return the positions in both networks of nodes with equal name, operator and shapes."""
    places = {node.name: place for place, node in enumerate(new)}
    ends: list[int] = []  # the smallest last position of a run of each length
    runs: list[tuple[int, int, int]] = []  # both positions, and the index of the run before
    last: list[int] = []
    for place, node in enumerate(old):
        other = places.get(node.name)
        if other is None or _key(new[other]) != _key(node):
            continue
        length = bisect_left(ends, other)
        runs.append((place, other, last[length - 1] if length else -1))
        ends[length : length + 1] = [other]
        last[length : length + 1] = [len(runs) - 1]
    found = []
    at = last[-1] if last else -1
    while at >= 0:
        place, other, at = runs[at]
        found.append((place, other))
    return found[::-1]


def _between(old: Sequence[Node], new: Sequence[Node]) -> list[Pair]:
    """Return the pairs among the nodes between two matching layers."""
    if not old or not new:
        return [*((node, None) for node in old), *((None, node) for node in new)]
    pairs: list[Pair] = []
    matcher = SequenceMatcher(None, [*map(_key, old)], [*map(_key, new)], autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag == "equal":
            pairs += zip(old[i:j], new[k:m], strict=True)
        else:
            pairs += _replaced(old[i:j], new[k:m])
    return pairs


def _replaced(old: Sequence[Node], new: Sequence[Node]) -> list[Pair]:
    """Return pairs of equal name, and then of equal kind of operator, in order."""
    by_name = {node.name: node for node in old}
    partner = {
        node.name: by_name[node.name]
        for node in new
        if node.name in by_name and type(by_name[node.name].op) is type(node.op)
    }
    rest = [node for node in old if node.name not in partner]
    for node in new:
        if node.name not in partner:
            same = next((other for other in rest if type(other.op) is type(node.op)), None)
            if same is not None:
                partner[node.name] = same
                rest.remove(same)
    taken = {node.name for node in partner.values()}
    pairs: list[Pair] = [(node, None) for node in old if node.name not in taken]
    return pairs + [(partner.get(node.name), node) for node in new]


def _change(
    old: Node | None,
    new: Node | None,
    names: dict[str, str],
    before: dict[str, LayerReport],
    after: dict[str, LayerReport],
) -> LayerChange | None:
    """Return how the nodes of a pair differ, or None if they do not."""
    was, now = (before[old.name] if old else None), (after[new.name] if new else None)
    params = was.params if was else 0, now.params if now else 0
    macs = was.macs if was else 0, now.macs if now else 0
    kind: Kind
    attributes: dict[str, tuple[Any, Any]] = {}
    if old is None or new is None:
        kind = "removed" if new is None else "added"
    else:
        attributes, kind = _attributes(old, new, names)
        if not attributes and old.name == new.name and (params, macs) == (params[::-1], macs[::-1]):
            return None
    node = new or old
    assert node is not None
    return LayerChange(
        kind,
        old.name if old else None,
        new.name if new else None,
        node.op.label,
        attributes,
        params,
        macs,
    )


def _attributes(
    old: Node, new: Node, names: dict[str, str]
) -> tuple[dict[str, tuple[Any, Any]], Kind]:
    """Return the attributes in which two nodes differ, and the kind of the change."""
    found: dict[str, tuple[Any, Any]] = {}
    if type(old.op) is not type(new.op):
        found["op"] = old.op.label, new.op.label
    else:
        was, now = structs.asdict(old.op), structs.asdict(new.op)
        found = {name: (was[name], now[name]) for name in was if was[name] != now[name]}
    inputs = tuple(names.get(name) for name in old.inputs)
    # Reading a newly inserted layer is no difference.
    if None not in inputs and inputs != new.inputs and set(names.values()).issuperset(new.inputs):
        found["from"] = old.inputs, new.inputs
    if found:
        return found, "changed"
    if old.ins != new.ins:
        return {"in": (old.ins, new.ins)}, "reshaped"
    return {}, "renamed"
