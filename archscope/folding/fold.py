"""Turn a flat graph into a short spec: repeated parts become a block or a `repeat`."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, structs

from archscope import language
from archscope.analysis.memory import peak_of
from archscope.errors import ArchscopeError
from archscope.folding.blocks import find_blocks
from archscope.folding.parameters import blocks_of
from archscope.folding.pieces import nodes_of
from archscope.folding.series_parallel import chain_of, entry_of
from archscope.folding.spec import folded_document
from archscope.ir import Graph, Node
from archscope.language.flatten import flat_document
from archscope.language.write import document_text


class Folded(Struct, frozen=True):
    """A spec, its graph, and the new name of each node of the original graph."""

    text: str
    graph: Graph
    names: Mapping[str, str]


def readable(graph: Graph) -> Folded:
    """Return a short spec of a graph, and the new names of its nodes.

    The text is read again and compared with the graph, node for node. If they differ, the flat
    text is returned, in which every node keeps its name.

    The branches of a sum or a product are written in the order of the graph, those of other merges
    in the order of their inputs. If that gives another peak of memory, branches in another order
    are written one after the other before their merge, as long as that keeps the peak. Raises
    GraphError.
    """
    found = _folded(graph, in_order=False)
    if found is not None and peak_of(found.graph) != (peak := peak_of(graph)):
        ordered = _folded(graph, in_order=True)
        if ordered is not None and peak_of(ordered.graph) == peak:
            return ordered
    return unfolded(graph) if found is None else found


def other_peak(graph: Graph, folded: Graph) -> str:
    """Return a note if the order of execution in a spec changes the peak of memory, "" if not."""
    before, after = peak_of(graph), peak_of(folded)
    if before == after:
        return ""
    return (
        f"in the order of the spec, feature maps have a peak of {after:,} elements, in that of the"
        f" source {before:,}"
    )


def _folded(graph: Graph, *, in_order: bool) -> Folded | None:
    """Return the short spec of a graph, None if it cannot be written or is not the same graph."""
    graph = _with_outputs_in_order(graph)
    try:
        chain = chain_of(graph, in_order=in_order)
        find_blocks(chain, entry_of(graph))
        text = document_text(folded_document(graph, chain, blocks_of(chain)))
        made = language.graph(language.document("folded", text=text.encode()))
        names = _names(graph, made, [*(node.name for node in graph.inputs), *nodes_of(chain)])
    except (ArchscopeError, RecursionError):  # a layer or a depth that the language has no form for
        return None
    return None if names is None else Folded(text, made, names)


def _with_outputs_in_order(graph: Graph) -> Graph:
    """Return a graph whose outputs have the order of their nodes, as those of every text do."""
    place = {node.name: number for number, node in enumerate(graph.nodes)}
    outputs = sorted(graph.outputs, key=lambda output: place[output.node])
    return structs.replace(graph, outputs=tuple(outputs))


def in_spec_order(graph: Graph) -> Graph:
    """Return a graph whose nodes have the order of its readable spec, and keep their names."""
    folded = readable(graph)
    place = {node.name: number for number, node in enumerate(folded.graph.nodes)}
    nodes = sorted(graph.nodes, key=lambda node: place[folded.names[node.name]])
    return structs.replace(graph, nodes=tuple(nodes))


def unfolded(graph: Graph) -> Folded:
    """Return the flat spec of a graph, in which nodes keep their names and their order."""
    flat = flat_document(graph)
    names = {node.name: node.name for node in graph.nodes}
    return Folded(document_text(flat), language.graph(flat), names)


def _names(graph: Graph, made: Graph, order: list[str]) -> dict[str, str] | None:
    """Return the new names of nodes, or None if the graph that was read is not the same."""
    if len(made.nodes) != len(graph.nodes) or len({*order}) != len(made.nodes):
        return None
    names = {old: node.name for old, node in zip(order, made.nodes, strict=True)}
    for old in graph.nodes:
        if _plain(made.by_name[names[old.name]]) != _plain(_renamed(old, names)):
            return None
    outputs = tuple(structs.replace(output, node=names[output.node]) for output in graph.outputs)
    return names if outputs == made.outputs else None


def _renamed(node: Node, names: Mapping[str, str]) -> Node:
    return structs.replace(
        node,
        name=names[node.name],
        inputs=tuple(names[name] for name in node.inputs),
        shares=None if node.shares is None else names[node.shares],
    )


def _plain(node: Node) -> Node:
    """Return a node without what a spec does not state: its location, and the bytes in a file.

    Counts are kept; for shared weights they are those of the node that owns them. Inputs that may
    be reordered are sorted.
    """
    if node.op.commutative:
        pairs = sorted(zip(node.inputs, node.ins, strict=True))
        node = structs.replace(
            node, inputs=tuple(name for name, _ in pairs), ins=tuple(shape for _, shape in pairs)
        )
    usual = node.new_params == node.facts.params or node.shares is not None
    params, macs = None if usual else node.new_params, node.weight_macs
    macs = 0 if node.shares is not None else macs
    return structs.replace(
        node, at=None, new_params=params, weight_bytes=None, weight_macs=macs, weight_bits=None
    )
