"""Groups of channels that can be removed from a network, and the layers of each group.

The dependency groups of Fang et al. 2023 (DepGraph), but exact to the channel: splits,
concatenations, shuffles and flattened maps are followed channel by channel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from msgspec import Struct, structs

from archscope.compress.channels import Channels, Flow, Tracker
from archscope.compress.operators import flow, narrowed, share
from archscope.ir import Builder, Graph

PRUNED = "_pruned"
"""Suffix of the name of a pruned network, however often it was pruned."""


class Unit(Struct, frozen=True, gc=False):
    """Channels that can only be removed together."""

    root: int  # the atom that represents them
    channels: tuple[tuple[str, int], ...]  # the layers that produce them, and their indices there


class Group(Struct, frozen=True):
    """Units in the same values of the network, each equally often.

    Removing any of them saves the same. All can go if their values have channels of other groups;
    otherwise one must stay.
    """

    layers: tuple[str, ...]  # that produce its channels, in the order of the graph
    widths: tuple[int, ...]  # channels of one unit in each of these layers
    units: tuple[Unit, ...]
    least: int = 1  # units that must stay
    fixed: str = ""  # why none of it can be removed

    @property
    def removable(self) -> bool:
        """Whether some of its units can be removed."""
        return not self.fixed and len(self.units) > self.least

    @property
    def why_fixed(self) -> str:
        """Why none of its units can be removed; empty if some can."""
        return self.fixed or ("" if self.removable else "its channels go together")


class ChannelGroups(Struct, frozen=True, dict=True):
    """The groups of a network, and how its nodes pass channels on."""

    graph: Graph
    groups: tuple[Group, ...]
    flows: dict[str, Flow]
    roots: tuple[int, ...]  # of each atom

    def narrow(self, removed: Collection[int]) -> Graph:
        """Return the graph without some units, given by their roots; nodes keep their names."""
        keeps = self.keeps(removed)
        counts: dict[int, int] = {}  # most values have the same channels as another one

        def kept(channels: Channels) -> int:
            key = id(channels)
            if key not in counts:
                counts[key] = sum(map(keeps.__getitem__, channels))
                held.append(channels)  # keeps the id from being reused
            return counts[key]

        held: list[Channels] = []
        builder = Builder()
        for node in self.graph.nodes:
            builder.again(node, narrowed(node.op, self.flows[node.name], kept), node.inputs)
            if node.new_params is not None or node.weight_macs:  # it now holds its weights itself
                builder.count(node.name, None)
        name = f"{self.graph.name.removesuffix(PRUNED)}{PRUNED}"
        nodes = tuple(builder.nodes.values())
        # Published numbers refer to the original network.
        return structs.replace(self.graph, name=name, nodes=nodes, reference=(), sites={})

    def keeps(self, removed: Collection[int]) -> bytearray:
        """Return 1 for each atom that is kept, else 0."""
        gone = {*removed}
        return bytearray(root not in gone for root in self.roots)


def channel_groups(graph: Graph) -> ChannelGroups:
    """Return the groups of channels of a network, in the order of the layers that produce them.

    Channels of inputs and outputs are fixed, and so are the inputs of operators without a rule.
    """
    tracker = Tracker()
    flows: dict[str, Flow] = {}
    makers: list[str] = []  # of each atom
    for node in graph.nodes:
        ins = tuple(flows[name].out for name in node.inputs)
        found = flow(node.op, node, ins, tracker)
        if node.shares is not None:
            share(found, flows[node.shares], tracker)
        flows[node.name] = found
        makers += [node.name] * (len(tracker.parents) - len(makers))
    for output in graph.outputs:
        tracker.fix(flows[output.node].out, f"output '{output.name}'")
    roots = tuple(map(tracker.root, range(len(makers))))
    fixed = {roots[atom]: why for atom, why in reversed(tracker.fixed.items())}
    return ChannelGroups(graph, _groups(flows, makers, roots, fixed), flows, roots)


def _groups(
    flows: dict[str, Flow], makers: list[str], roots: tuple[int, ...], fixed: dict[int, str]
) -> tuple[Group, ...]:
    """Group the units that are in the same values."""
    places: dict[int, list[tuple[int, int]]] = {root: [] for root in roots}
    values = {id(found.out): found.out for found in flows.values()}
    for number, channels in enumerate(values.values()):
        for root, count in Counter(map(roots.__getitem__, channels)).items():
            places[root].append((number, count))
    made: dict[int, list[tuple[str, int]]] = {root: [] for root in roots}
    starts: dict[str, int] = {}
    for atom, maker in enumerate(makers):
        made[roots[atom]].append((maker, atom - starts.setdefault(maker, atom)))
    alike: dict[tuple[object, ...], list[Unit]] = {}
    for root, found in places.items():
        key = (*found, fixed.get(root, ""))
        alike.setdefault(key, []).append(Unit(root, tuple(made[root])))
    needed = _needed({units[0].root: len(units) for units in alike.values()}, places, fixed)
    groups = []
    for units in alike.values():
        root = units[0].root
        widths = Counter(maker for maker, _ in units[0].channels)
        groups.append(
            Group(
                tuple(widths), tuple(widths.values()), tuple(units),
                least=int(root in needed), fixed=fixed.get(root, ""),
            )
        )  # fmt: skip
    return tuple(groups)


def _needed(
    sizes: dict[int, int], places: dict[int, list[tuple[int, int]]], fixed: dict[int, str]
) -> set[int]:
    """Return the groups that must keep a unit, by the root of their first unit.

    For each value that could lose all its channels it is the largest group.
    """
    largest: dict[int, tuple[bool, int, int]] = {}
    for root, size in sizes.items():
        for number, count in places[root]:
            this = (root in fixed, size * count, -root)
            largest[number] = max(largest.get(number, this), this)
    return {-root for _, _, root in largest.values()}
