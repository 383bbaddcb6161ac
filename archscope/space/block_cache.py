"""Cache the expanded blocks that the candidates of a search space have in common.

A block without holes yields the same nodes wherever it has the same arguments and input shapes, so
it is expanded once and then inserted under other names.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from itertools import islice
from typing import Any

from msgspec import Struct

from archscope.ir import Graph, Node, Op, Source
from archscope.language.document import Document, Layer, blocks_used, layers_in
from archscope.language.elaborate import Instance, Walk
from archscope.language.expand import GraphDomain
from archscope.language.expression import Frame, names_in
from archscope.language.limits import Limits
from archscope.language.node_builder import NodeBuilder, NodeNames
from archscope.language.value import FILLER, Value

MOST = 1 << 14  # blocks in the cache


class CachedBlock(Struct, frozen=True, gc=False):
    """An expanded block, with names relative to its own."""

    nodes: tuple[tuple[Any, ...], ...]  # the fields of each, in order
    names: tuple[str, ...]
    ends: tuple[int | str, ...]  # an input of the block by number, or a node by name
    steps: int
    sites: tuple[tuple[str, Source], ...]  # locations of the blocks inside


class BlockCache:
    """Expands the candidates of a document, caching its blocks without holes."""

    def __init__(self, document: Document, limits: Limits) -> None:
        self.document, self.limits = document, limits
        self.constants: dict[Layer, Op] = {}
        self.known: dict[Hashable, CachedBlock] = {}
        self.closed = closed_blocks(document)

    def graph(self, choices: Mapping[str, Any]) -> Graph:
        """Return the graph of a candidate. Raises SpecError."""
        domain = GraphDomain(self.document, self.limits, choices, _Reuse(self))
        domain.run()
        return domain.made.graph(self.document)


class _Reuse:
    """Takes the blocks of a candidate from a cache; see `expand.Reuse`."""

    def __init__(self, cache: BlockCache) -> None:
        self.cache, self.constants = cache, cache.constants

    def body(
        self,
        domain: GraphDomain,
        instance: Instance,
        frame: Frame,
        flow: NodeNames,
        walk: Walk[Frame, NodeNames],
    ) -> NodeNames:
        """Return the last nodes of a block, which is walked only if it is new or has holes."""
        block, cache, made = instance.block, self.cache, domain.made
        read = cache.closed.get(block.name)
        if read is None:
            return walk(block.layers, instance, frame, flow)
        frame.pop(FILLER, None)
        common = tuple([domain.choices.get(path) for path in read])
        # 1, 1.0 and true are equal, but make different blocks.
        types = tuple([type(value) for value in frame.values()])
        key = block.name, common, types, tuple(frame), tuple(frame.values())
        try:
            known = cache.known.get(key)
        except TypeError:  # an argument is a list or a row
            return walk(block.layers, instance, frame, flow)
        if known is not None:
            domain.steps.spend(known.steps, block.at)
            names = [instance.prefix + name for name in known.names]
            fits = len(made.nodes) + len(known.nodes) <= domain.limits.nodes
            if fits and made.taken.keys().isdisjoint(names):
                made.taken.update(dict.fromkeys(names))
                return _placed(known, instance, made)
        before = len(made.nodes), len(made.taken), len(made.sites), domain.steps.spent
        flow = walk(block.layers, instance, frame, flow)
        if len(cache.known) >= MOST:
            cache.known.clear()
        cache.known[key] = _cached(instance, made, flow, before, domain.steps.spent)
        return flow


def _cached(
    instance: Instance, made: NodeBuilder, flow: NodeNames, before: tuple[int, ...], spent: int
) -> CachedBlock:
    """Return an expanded block; `before` has the sizes of the collections before it."""
    prefix = instance.prefix
    skip = len(prefix)
    entry = {name: i for i, name in enumerate(instance.entry)}
    nodes = list(islice(made.nodes.values(), before[0], None))

    def relative(names: Iterable[str]) -> tuple[int | str, ...]:
        return tuple([entry[name] if name in entry else name[skip:] for name in names])

    return CachedBlock(
        tuple(
            (node.name[skip:], node.op, relative(node.inputs), node.ins, node.out,
             node.shares and node.shares[skip:], node.at, node.new_params, None, node.weight_macs)
            for node in nodes
        ),
        tuple(name[skip:] for name in islice(made.taken, before[1], None)),
        relative(flow),
        spent - before[3],
        tuple((name[skip:], at) for name, at in islice(made.sites.items(), before[2], None)),
    )  # fmt: skip


def _placed(known: CachedBlock, instance: Instance, made: NodeBuilder) -> NodeNames:
    """Add the nodes of a cached block under another name, and return the last ones."""
    prefix, entry, nodes = instance.prefix, instance.entry, made.nodes
    for suffix, op, inputs, ins, out, shares, *more in known.nodes:
        name = prefix + suffix
        read = tuple([entry[name] if type(name) is int else prefix + name for name in inputs])
        owner = shares and prefix + shares
        nodes[name] = Node(name, op, read, ins, out, owner, *more)
    made.sites.update({prefix + name: at for name, at in known.sites})
    return tuple([entry[end] if isinstance(end, int) else prefix + end for end in known.ends])


def closed_blocks(document: Document) -> dict[str, tuple[str, ...]]:
    """Return the blocks that have no holes and outputs, including in the blocks they use.

    Each is mapped to the holes of `let` that its expressions may read.
    """
    blocks, closed = document.blocks, {}
    reads = {name: _names_read(block.values()) for name, block in blocks.items()}
    let = {name: _names_read([value]) for name, value in document.let.items()}
    for name, block in blocks.items():
        used = [blocks[word] for word in blocks_used(blocks, block)]
        inside = [block, *used]
        layers = [layer for part in inside for layer in layers_in(part.layers)]
        if any(part.open for part in used) or any(
            layer.open or layer.output is not None for layer in layers
        ):
            continue
        read = set().union(*(reads[part.name] for part in inside)) & let.keys()
        while more := set().union(*(let[word] for word in read)) & let.keys() - read:
            read |= more
        closed[name] = tuple(
            hole.label for word in let if word in read for hole in document.let[word].holes()
        )
    return closed


def _names_read(values: Iterable[Value]) -> set[str]:
    """Return the names that the expressions in values read."""
    return {
        name
        for value in values
        for expression in value.expressions()
        for name in names_in(expression.text)
    }
