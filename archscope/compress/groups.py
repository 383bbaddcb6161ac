"""Groups of channels that can be removed from a network, and the layers of each group.

The dependency groups of Fang et al. 2023 (DepGraph), but exact to the channel: splits,
concatenations, shuffles and flattened maps are followed channel by channel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from math import prod

from msgspec import Struct

from archscope.compress.channels import Channels, Flow, Tracker
from archscope.compress.operators import follow, narrowed, share
from archscope.graph_builder import GraphBuilder
from archscope.ir import Graph

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


class Term(Struct, frozen=True):
    """Channels of a layer that are a product of what is left of some groups, such as heads."""

    times: int
    groups: tuple[int, ...]  # by their places among all groups; the last vary fastest


class ChannelGroups(Struct, frozen=True, dict=True):
    """The groups of a network, and how its nodes pass channels on."""

    graph: Graph
    groups: tuple[Group, ...]
    flows: dict[str, Flow]
    leaves: tuple[tuple[int, ...], ...]  # of each atom: the roots of the units it goes with
    terms: dict[str, tuple[Term, ...]]  # the width of each layer that produces channels

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
        builder = GraphBuilder()
        for node in self.graph.nodes:
            builder.again(node, narrowed(node.op, self.flows[node.name], kept), node.inputs)
            if node.new_params is not None or node.weight_macs:  # it now holds its weights itself
                builder.count(node.name, None)
        name = f"{self.graph.name.removesuffix(PRUNED)}{PRUNED}"
        return builder.changed(self.graph, name=name, sites={})

    def keeps(self, removed: Collection[int]) -> bytearray:
        """Return 1 for each atom that is kept, else 0."""
        gone = {*removed}
        return bytearray(
            leaves[0] not in gone if len(leaves) == 1 else gone.isdisjoint(leaves)
            for leaves in self.leaves
        )


def channel_groups(graph: Graph) -> ChannelGroups:
    """Return the groups of channels of a network, in the order of the layers that produce them.

    Channels of inputs and outputs are fixed, and so are the inputs of operators without a rule.
    """
    tracker = Tracker()
    flows: dict[str, Flow] = {}
    makers: list[str] = []  # of each atom
    for node in graph.nodes:
        ins = tuple(flows[name].axes for name in node.inputs)
        found = follow(node.op, node, ins, tracker)
        if node.shares is not None:
            share(found, flows[node.shares], tracker)
        flows[node.name] = found
        makers += [node.name] * (len(tracker.parents) - len(makers))
    for output in graph.outputs:
        for channels in flows[output.node].axes:
            tracker.fix(channels, f"output '{output.name}'")
    return _Grouping(flows, makers, tracker).result(graph)


class _Grouping:
    """Groups the units that are in the same values."""

    def __init__(self, flows: dict[str, Flow], makers: list[str], tracker: Tracker) -> None:
        self.flows = flows
        self.leaves = tuple(map(tracker.leaves, range(len(makers))))
        self.fixed: dict[int, str] = {}  # why, by leaf
        for atom, why in tracker.fixed.items():
            for leaf in self.leaves[atom]:
                self.fixed.setdefault(leaf, why)
        self.made: dict[str, list[int]] = {}  # the atoms that are channels of each layer
        for atom, maker in enumerate(makers):
            if atom not in tracker.derived:
                self.made.setdefault(maker, []).append(atom)
        axes = (axis for flow in flows.values() for axis in flow.axes if axis is not None)
        self.values = [
            Counter(map(self.leaves.__getitem__, axis))
            for axis in {id(axis): axis for axis in axes}.values()
        ]

    def result(self, graph: Graph) -> ChannelGroups:
        """Return the groups."""
        units = self._units()
        alike = self._alike(units)
        places = {leaf: place for place, leaves in enumerate(alike) for leaf in leaves}
        self._fix_irregular(alike, places)
        needed = self._needed(alike, places)
        groups = []
        for place, leaves in enumerate(alike):
            widths = Counter(maker for maker, _ in units[leaves[0]])
            groups.append(
                Group(
                    tuple(widths), tuple(widths.values()),
                    tuple(Unit(leaf, tuple(units[leaf])) for leaf in leaves),
                    least=int(place in needed), fixed=self.fixed.get(leaves[0], ""),
                )
            )  # fmt: skip
        terms = {maker: self._terms(maker, places, groups) for maker in self.made}
        return ChannelGroups(graph, tuple(groups), self.flows, self.leaves, terms)

    def _units(self) -> dict[int, list[tuple[str, int]]]:
        """Return the channels of each unit, which may also be units along other axes."""
        units: dict[int, list[tuple[str, int]]] = {}
        for maker, atoms in self.made.items():
            for place, atom in enumerate(atoms):
                free = [leaf for leaf in self.leaves[atom] if leaf not in self.fixed]
                for leaf in free or self.leaves[atom][:1]:
                    units.setdefault(leaf, []).append((maker, place))
        for leaves in self.leaves:
            for leaf in leaves:
                if leaf not in units:
                    self.fixed.setdefault(leaf, "no layer produces it")
        return units

    def _alike(self, units: dict[int, list[tuple[str, int]]]) -> list[list[int]]:
        """Return the units that are in the same values, each equally often."""
        places: dict[int, list[tuple[int, int]]] = {leaf: [] for leaf in units}
        for number, value in enumerate(self.values):
            counts: Counter[int] = Counter()
            for leaves, count in value.items():
                for leaf in leaves:
                    counts[leaf] += count
            for leaf, count in counts.items():
                if leaf in places:
                    places[leaf].append((number, count))
        alike: dict[tuple[object, ...], list[int]] = {}
        for leaf, found in places.items():
            alike.setdefault((*found, self.fixed.get(leaf, "")), []).append(leaf)
        return list(alike.values())

    def _free(self, leaves: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(leaf for leaf in leaves if leaf not in self.fixed)

    def _fix_irregular(self, alike: list[list[int]], places: dict[int, int]) -> None:
        """Fix groups that divide an axis otherwise than as a product of each with each."""
        for value in self.values:
            combined: dict[tuple[int, ...], Counter[tuple[int, ...]]] = {}
            for leaves, count in value.items():
                free = self._free(leaves)
                if len(free) > 1:
                    found = combined.setdefault(tuple(places[leaf] for leaf in free), Counter())
                    found[free] += count
            for groups, found in combined.items():
                whole = prod(len(alike[place]) for place in groups)
                if len(found) < whole or len({*found.values()}) > 1 or len({*groups}) < len(groups):
                    for place in groups:
                        why = "its channels go with others along several axes"
                        self.fixed |= dict.fromkeys(alike[place], why)

    def _needed(self, alike: list[list[int]], places: dict[int, int]) -> set[int]:
        """Return the groups that must keep a unit.

        For each value that could lose all its channels, it is that of most channels; those of
        several groups need a unit of each.
        """
        needed: set[int] = set()
        for value in self.values:
            sizes: Counter[tuple[int, ...]] = Counter()
            for leaves, count in value.items():
                sizes[tuple(places[leaf] for leaf in self._free(leaves))] += count
            if () not in sizes:
                ordered = sorted(sizes.items(), key=lambda item: item[0])
                needed.update(max(ordered, key=lambda item: item[1])[0])
        return needed

    def _terms(
        self, maker: str, places: dict[int, int], groups: Sequence[Group]
    ) -> tuple[Term, ...]:
        """Return the number of channels of a layer, as terms of its groups."""
        own, out = tuple(self.made[maker]), self.flows[maker].out
        # Directions of a recurrent layer have equal channels.
        channels = out if {*out} - {*own} else own
        counts = Counter(
            tuple(places[leaf] for leaf in self._free(self.leaves[atom])) for atom in channels
        )
        return tuple(
            Term(count // prod(len(groups[place].units) for place in found), found)
            for found, count in counts.items()
        )
