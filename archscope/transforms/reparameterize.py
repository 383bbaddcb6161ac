"""Structural re-parameterisation: merge parallel linear branches into one convolution.

Ding et al. 2021 (RepVGG, arXiv:2101.03697) train a sum of a 3x3 convolution, a 1x1 convolution and
the identity, each with its batch norm, and deploy the equivalent single 3x3 convolution.
"""

from __future__ import annotations

from collections import defaultdict

from msgspec import Struct, structs

from archscope.axes import Window
from archscope.errors import GraphError
from archscope.graph_builder import GraphBuilder
from archscope.ir import Graph, Node
from archscope.module_names import free_name
from archscope.ops.conv import Conv
from archscope.ops.merge import Add
from archscope.ops.norm import BatchNorm
from archscope.transforms.fuse import fuse


class MergedBranches(Struct, frozen=True):
    """Branches of a sum that one convolution can compute."""

    add: str
    source: str  # the node that they all read
    branches: tuple[str, ...]  # nodes; the source itself for the identity
    largest: str  # the convolution that determines the geometry of the merged one
    name: str  # of the merged convolution

    def op(self, graph: Graph) -> Conv:
        """Return the merged convolution, which has a bias."""
        op = graph.by_name[self.largest].op
        assert isinstance(op, Conv)
        return structs.replace(op, bias=True)


def reparameterize(graph: Graph) -> Graph:
    """Return the graph for inference with parallel linear branches merged, and batch norms folded.

    A branch is a convolution, a batch norm or nothing. Branches merge if they read the same value
    and fit into the largest convolution, so that no macs are added. Raises GraphError if nothing
    can be merged.
    """
    fused = fuse(graph)
    merged = fused
    while found := mergeable(merged):
        merged = merge(merged, found)
    if merged is fused:
        raise GraphError(
            f"'{graph.name}' has no parallel branches that one convolution can compute"
        )
    return structs.replace(merged, name=f"{graph.name}_deploy")


def mergeable(graph: Graph) -> tuple[MergedBranches, ...]:
    """Return the branches that can be merged now; merging may make further sums mergeable."""
    readers = graph.readers()
    held = {output.node for output in graph.outputs}
    held |= {node.shares for node in graph.nodes if node.shares}
    taken = set(graph.by_name)
    found = []
    for add in graph.nodes:
        if not isinstance(add.op, Add) or any(shape != add.out for shape in add.ins):
            continue
        groups: defaultdict[str, list[str]] = defaultdict(list)
        for name in add.inputs:
            node = graph.by_name[name]
            alone = readers[name] == [add.name] and name not in held
            own = node.shares is None and node.new_params is None
            linear = isinstance(node.op, BatchNorm) or _has_kernel(node)
            if alone and own and linear:
                groups[node.inputs[0]].append(name)
        for source, branches in groups.items():
            branches += [name for name in add.inputs if name == source]
            largest = _largest(graph, source, branches) if len(branches) > 1 else None
            if largest is not None:
                name = free_name(f"{add.scope}.conv".lstrip("."), taken)
                found.append(MergedBranches(add.name, source, tuple(branches), largest, name))
                break
    return tuple(found)


def _has_kernel(node: Node) -> bool:
    """Return whether a node is a convolution with learned weights as they are, not with a norm."""
    return isinstance(node.op, Conv) and node.op.absorbs_scale


def _largest(graph: Graph, source: str, branches: list[str]) -> str | None:
    """Return the convolution that all branches fit into, or None."""
    convs = [node for node in map(graph.by_name.__getitem__, branches) if _has_kernel(node)]
    for conv in convs:
        if all(offsets(graph, conv.name, name) is not None for name in branches):
            return conv.name
    return None


def offsets(graph: Graph, conv: str, branch: str) -> tuple[tuple[int, int], ...] | None:
    """Return, for each axis, the position of a branch's first tap in a kernel, and the tap step.

    The step is 1 for a branch of a single tap. None if the branch does not fit into the kernel.
    """
    node, other = graph.by_name[conv], graph.by_name[branch]
    assert isinstance(node.op, Conv)
    if isinstance(other.op, Conv) and branch != conv:
        if other.op.groups != node.op.groups:
            return None
        windows = other.facts.window
    elif branch == conv:
        windows = node.facts.window
    else:  # an identity, possibly with scale and shift
        if node.ins[0] != node.out:
            return None
        windows = (Window(),) * len(node.facts.window or ())
    places = []
    for own, theirs in zip(node.facts.window or (), windows or (), strict=True):
        assert isinstance(own, Window) and isinstance(theirs, Window)
        first, rest = divmod(own.before - theirs.before, own.dilation)
        step, more = divmod(theirs.dilation, own.dilation) if theirs.kernel > 1 else (1, 0)
        last = first + step * (theirs.kernel - 1)
        if rest or more or own.stride != theirs.stride or first < 0 or last >= own.kernel:
            return None
        places.append((first, step))
    return tuple(places)


def merge(graph: Graph, merges: tuple[MergedBranches, ...]) -> Graph:
    """Return the graph with each group of branches merged into one convolution."""
    at = {found.add: found for found in merges}
    gone = {name for found in merges for name in found.branches if name != found.source}
    renamed: dict[str, str] = {}
    builder = GraphBuilder()
    for node in graph.nodes:
        if node.name in gone:
            continue
        inputs = tuple(renamed.get(name, name) for name in node.inputs)
        found = at.get(node.name)
        if found is None:
            builder.again(node, node.op, inputs)
            continue
        source = renamed.get(found.source, found.source)
        builder.add(found.name, found.op(graph), (source,), at=node.at)
        rest = [renamed.get(name, name) for name in node.inputs if name not in found.branches]
        if rest:
            builder.again(node, node.op, (found.name, *rest))
        else:
            renamed[node.name] = found.name
    outputs = tuple(
        structs.replace(output, node=renamed.get(output.node, output.node))
        for output in graph.outputs
    )
    return structs.replace(graph, nodes=tuple(builder.nodes.values()), outputs=outputs)
