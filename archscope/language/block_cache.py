"""What the candidates of one search space have in common, kept from one to the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from msgspec import Struct

from archscope.ir import Facts, Node, Op, Source
from archscope.language.document import Document, Flow, Place
from archscope.language.expression import Expression, names_in
from archscope.language.holes import Hole
from archscope.language.syntax import GROUP, Block, Layer, Value, layers_in

MOST = 1 << 14  # instances of blocks that are kept


Sums = tuple[int, ...]
"""Params, buffers, macs and memory access in elements, of some nodes together."""
PLACED = Source("", 0, 0)
"""Where nodes stand that only give a shape, because their block has been counted."""


class Instance(Struct, frozen=True, gc=False):
    """What a block became, with names that begin behind its own."""

    nodes: tuple[tuple[Any, ...], ...]  # name, op, inputs, ins, out, shares, at
    names: tuple[str, ...]
    flow: tuple[int | str, ...]
    steps: int
    sums: Sums


class Memo:
    """Blocks without holes by their arguments, and operators without expressions."""

    def __init__(self, document: Document) -> None:
        self.constant: dict[int, Op] = {}
        self.instances: dict[Hashable, Instance] = {}
        self.sites: dict[Hashable, list[tuple[str, Source]]] = {}  # of the blocks inside of each
        self.labels = labels_of(document)
        self.closed = closed_blocks(document)

    def find(self, key: Hashable) -> Instance | None:
        """Return a block that is known already. Raises TypeError for a key with lists in it."""
        return self.instances.get(key)

    def keep(
        self, key: Hashable, place: Place, nodes: Iterable[Node], names: Iterable[str],
        flow: Flow, steps: int,
    ) -> None:  # fmt: skip
        """Remember what a block became in a place."""
        if len(self.instances) >= MOST:
            self.instances.clear()
        skip = len(place.prefix)
        nodes = list(nodes)
        entry: dict[str, int | str] = {name: i for i, name in enumerate(place.entry)}

        def refer(read: Iterable[str]) -> tuple[int | str, ...]:
            return tuple([entry[name] if name in entry else name[skip:] for name in read])

        self.instances[key] = Instance(
            tuple(
                (node.name[skip:], node.op, refer(node.inputs), node.ins, node.out,
                 node.shares and node.shares[skip:], node.at)
                for node in nodes
            ),
            tuple(name[skip:] for name in names),
            refer(flow),
            steps,
            sums_of(nodes),
        )  # fmt: skip


def place_instance(known: Instance, place: Place) -> tuple[dict[str, Node], Flow]:
    """Return the nodes and the end of a known block in another place."""
    prefix, entry = place.prefix, place.entry
    nodes = {}
    for suffix, op, inputs, ins, out, shares, at in known.nodes:
        name = prefix + suffix
        read = tuple([entry[name] if type(name) is int else prefix + name for name in inputs])
        nodes[name] = Node(name, op, read, ins, out, shares and prefix + shares, at)
    return nodes, tuple(
        [entry[name] if isinstance(name, int) else prefix + name for name in known.flow]
    )


def place_ends(known: Instance, place: Place) -> tuple[dict[str, Node], Flow]:
    """Return the end of a known block in another place, with nodes for its shapes alone."""
    nodes = {}
    flow = []
    for end in known.flow:
        if isinstance(end, int):
            flow.append(place.entry[end])
            continue
        name = place.prefix + end
        _, op, _, ins, out, _, _ = next(node for node in known.nodes if node[0] == end)
        nodes[name] = Node(name, op, place.entry, ins, out, None, PLACED)
        flow.append(name)
    return nodes, tuple(flow)


def sums_of(nodes: Sequence[Node], known: Iterable[Facts] | None = None) -> Sums:
    """Return the sums over nodes; weights that are shared count where they stand first."""
    params = buffers = macs = access = 0
    for node, facts in zip(nodes, known or (node.facts for node in nodes), strict=True):
        if node.shares is None:
            params += facts.params
            buffers += facts.buffers
        macs += facts.macs
        access += facts.access
    return params, buffers, macs, access


def labels_of(document: Document) -> dict[int, tuple[str, bool]]:
    """Return how paths of holes call each layer, and whether that has a number already.

    It depends on the text alone, so that a path means the same whatever the other holes hold.
    """
    labels = {}
    for block in (document.body, *document.blocks.values()):
        layers = [layer for layer in layers_in(block.layers) if layer.word != GROUP]
        often = Counter(layer.base for layer in layers)
        seen: Counter[str] = Counter()
        for layer in layers:
            base, numbered = layer.base, often[layer.base] > 1
            number = f"{'_' if base[-1].isdigit() else ''}{seen[base]}" if numbered else ""
            labels[id(layer)] = base + number, numbered
            seen[base] += 1
    return labels


def closed_blocks(document: Document) -> dict[str, tuple[str, ...]]:
    """Return the blocks whose bodies, with the blocks they use, have no hole and no output.

    For each, the holes of `let` that its expressions may read.
    """
    own = {name: list(layers_in(block.layers)) for name, block in document.blocks.items()}
    used = {
        name: [document.blocks[layer.word] for layer in layers if layer.word in own]
        for name, layers in own.items()
    }
    closed = {
        name
        for name, layers in own.items()
        if not any(layer.open or layer.output is not None for layer in layers)
    }
    while leaking := {
        name for name in closed if any(one.open or one.name not in closed for one in used[name])
    }:
        closed -= leaking
    let = {name: _reads([value]) for name, value in document.let.items()}
    reads = {name: _reads(_values(document.blocks[name], own[name])) for name in closed}
    holes = {}
    for name in closed:
        seen: set[str] = set()
        todo = [name]
        names: set[str] = set()
        while todo:
            block = todo.pop()
            if block not in seen:
                seen.add(block)
                names |= reads[block]
                todo += [one.name for one in used[block]]
        todo, seen = list(names), set()
        while todo:
            word = todo.pop()
            if word not in seen and word in let:
                seen.add(word)
                todo += let[word]
        holes[name] = tuple(
            hole.label for word in let if word in seen for hole in document.let[word].holes()
        )
    return holes


def _values(block: Block, layers: Iterable[Layer]) -> Iterable[Value | None]:
    yield from block.defaults.values()
    for layer in layers:
        yield from layer.args.values()
        yield from (layer.alone, layer.repeat, layer.when, layer.split)
        yield from (layer.each or {}).values()


def _reads(values: Iterable[Value | None]) -> set[str]:
    """Return the names that the expressions in values read."""
    parts = [part for value in values if value is not None for part in value.parts()]
    choices = [
        choice
        for part in parts
        if isinstance(part.content, Hole)
        for choice in part.content.alternatives
    ]
    names = _reads(choices) if choices else set()
    for part in parts:
        if isinstance(part.content, Expression):
            names |= names_in(part.content.text)
    return names


def key_of(block: Block, values: dict[str, Any], common: tuple[Any, ...]) -> Hashable:
    """Return what tells instances of a block apart; 1, 1.0 and true are different."""
    types = tuple([type(value) for value in values.values()])
    return block.name, common, types, tuple(values), tuple(values.values())
