"""The tower of a network: the part that embeds one image."""

from __future__ import annotations

from msgspec import structs

from archscope.errors import OptionError, did_you_mean
from archscope.ir import Graph, Node, Output, text_of
from archscope.ops.linear import Linear
from archscope.ops.merge import Distance
from archscope.train.recipe import Recipe
from archscope.train.recipe_files import change

NAME = "embedding"

HEAD = "metric-loss"
"""Name of the loss's own module within the network; no node can have that name."""


def cut(graph: Graph, node: str) -> Graph:
    """Return a graph that ends at a node, which becomes its only output. Raises OptionError."""
    if node not in graph.by_name:
        raise OptionError(f"'{graph.name}' has no node '{node}'{did_you_mean(node, graph.by_name)}")
    kept = graph.only(graph.ancestors(node), (Output(NAME, node),))
    return structs.replace(kept, reference=())  # what was published is about the whole


def tower(graph: Graph) -> tuple[Graph, str | None]:
    """Return the part of a network that embeds one image, and the distance the network names.

    In a network of several inputs that is the branch of the first, up to what the distances
    compare, or up to the outputs if there are none; its weights are named as in the whole. A
    network of one input is its own tower, up to its main output. The distance is `euclidean`,
    `manhattan`, or None if the network has none. Raises OptionError if branches differ in layers
    or weights, if they meet elsewhere than in a distance, or if the embedding is not flat.
    """
    compared = [node for node in graph.nodes if isinstance(node.op, Distance)]
    kinds = sorted({str(getattr(node.op, "metric", "")) for node in compared})
    if len(kinds) > 1:
        raise OptionError(f"'{graph.name}' compares by {' and '.join(kinds)}; one can be trained")
    if compared:
        ends = list(dict.fromkeys(name for node in compared for name in node.inputs))
    elif len(graph.inputs) > 1:
        ends = list(dict.fromkeys(output.node for output in graph.outputs))
    else:
        ends = [graph.main.node]
    branches = [_branch(graph, end) for end in ends]
    for end, branch in zip(ends[1:], branches[1:], strict=True):
        if _layers(branch) != _layers(branches[0]):
            raise OptionError(
                f"'{ends[0]}' and '{end}' of '{graph.name}' are not one tower: layers or weights"
                " differ (share: gives branches the same weights)"
            )
    shape = graph.by_name[ends[0]].out
    if any(size != 1 for size in shape[1:]):
        raise OptionError(
            f"'{ends[0]}' of '{graph.name}' is {text_of(shape)}, and an embedding is flat; name"
            " another node (--embedding NODE)"
        )
    if len(graph.inputs) == 1 and len(graph.outputs) == 1 and not compared:
        return graph, None
    return cut(graph, ends[0]), kinds[0] if kinds else None


def without_classifier(graph: Graph, classes: int) -> tuple[Graph, str | None]:
    """Return a network without a last linear layer for so many classes, and that layer's name.

    It keeps only what tells these classes apart, and a metric loss is for others. A network that
    ends otherwise, that was cut at a node, or whose rest has no weights, is returned as it is, with
    None.
    """
    output = graph.main
    last = graph.by_name[output.node]
    if len(graph.inputs) > 1 or output.name == NAME:
        return graph, None
    while not last.facts.params and len(last.inputs) == 1 and last.out == (classes,):
        last = graph.by_name[last.inputs[0]]  # a softmax
    if not isinstance(last.op, Linear) or last.out != (classes,):
        return graph, None
    part = cut(graph, last.inputs[0])
    return (part, last.name) if any(node.facts.params for node in part.nodes) else (graph, None)


def to_embed(graph: Graph, recipe: Recipe) -> tuple[Graph, Recipe]:
    """Return the tower of a network, and a recipe that compares as the network does.

    Raises OptionError where there is no tower, or where the two compare in different ways.
    """
    part, distance = tower(graph)
    if distance is None:
        return part, recipe
    if recipe.distance not in ("auto", distance):
        raise OptionError(f"'{graph.name}' compares by {distance}, the recipe by {recipe.distance}")
    return part, change(recipe, {"distance": distance})


def _branch(graph: Graph, end: str) -> list[Node]:
    names = graph.ancestors(end)
    branch = [node for node in graph.nodes if node.name in names]
    inputs = [node.name for node in branch if not node.inputs]
    if len(inputs) != 1:
        raise OptionError(
            f"'{end}' of '{graph.name}' is made of {' and '.join(inputs)}; an embedding is of one"
            " image, and branches meet only in a distance"
        )
    return branch


def _layers(branch: list[Node]) -> list[tuple[object, ...]]:
    """Return what two branches must have in common: layers, connections, and weight owners."""
    place = {node.name: number for number, node in enumerate(branch)}
    return [
        (
            node.op,
            node.out,
            tuple(place[name] for name in node.inputs),
            (node.shares or node.name) if node.facts.params else None,
        )
        for node in branch
    ]
