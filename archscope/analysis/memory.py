"""The memory of feature maps: in total, at the peak of inference, and for training.

The model is eager execution in the order of the nodes. A value lives from the node that makes it to
its last reader. Views share the memory of their input, and an activation function works in place if
nothing else needs its input (`in_place`), exactly as in the module that `build` makes. The
workspace of kernels and the allocator's rounding are not included.
"""

from __future__ import annotations

from collections import Counter

from msgspec import Struct

from archscope.ir import Graph, Storage

OPTIMIZERS = {"sgd": 0, "momentum": 1, "adam": 2}
"""Copies of the parameters that an optimizer keeps."""


class Kept(Struct, frozen=True, gc=False):
    """What autograd keeps for one node until the backward pass."""

    maps: tuple[str, ...]  # nodes whose feature map is kept
    elements: int  # of extra tensors, per image
    indices: int  # 8-byte integers per image
    fixed: int  # 4-byte numbers, independent of the batch


class Memory(Struct, frozen=True):
    """The feature maps of one image, in elements, and what autograd keeps of them."""

    activations: int  # all feature maps, including the input
    peak: int  # the most elements alive at once
    peak_node: str  # the first node that runs at the peak
    timeline: tuple[int, ...]  # elements alive while each node runs
    saved: int  # elements kept for the backward pass
    saved_indices: int  # 8-byte integers kept for it
    saved_fixed: int  # 4-byte numbers kept for it, independent of the batch
    kept: dict[str, Kept]  # by node; two nodes may keep the same map
    sizes: dict[str, int]  # elements of each map while training
    in_place: frozenset[str]

    def inference_bytes(self, weights: int, batch: int, size: int) -> int:
        """Return the peak in bytes with `weights` weights, for elements of `size` bytes."""
        return (weights + self.peak * batch) * size

    def saved_bytes(self, batch: int, size: int) -> int:
        """Return the bytes kept for the backward pass of a batch, for elements of `size` bytes."""
        per_image = self.saved * size + self.saved_indices * 8
        return per_image * batch + self.saved_fixed * 4

    def training_bytes(
        self, params: int, buffers: int, optimizer: str, batch: int, size: int
    ) -> int:
        """Return weights + gradients + optimizer state + saved feature maps.

        This is the memory at the end of the forward pass, a lower bound of the peak: short-lived
        tensors of the backward pass are not included.
        """
        held = (params * (2 + OPTIMIZERS[optimizer]) + buffers) * size
        return held + self.saved_bytes(batch, size)

    def largest_batch(
        self, room: int, params: int, buffers: int, size: int, optimizer: str | None = None
    ) -> int:
        """Return how many images fit into `room` bytes; for training if an optimizer is given."""
        if optimizer is None:
            fixed = (params + buffers) * size
            each = self.peak * size
        else:
            fixed = self.training_bytes(params, buffers, optimizer, 0, size)
            each = self.saved * size + self.saved_indices * 8
        return max(0, (room - fixed) // each) if each else 0


def memory(graph: Graph) -> Memory:
    """Return the memory that the feature maps of one image need."""
    placed = in_place(graph)
    roots = storages(graph, placed, training=False)
    timeline = _timeline(graph, roots)
    peak = max(timeline)
    training_roots = storages(graph, placed, training=True)
    sizes = _sizes(graph, training_roots)
    kept = _kept(graph, training_roots, placed)
    extra = kept.values()
    maps = {name for value in extra for name in value.maps}
    return Memory(
        activations=sum(_sizes(graph, roots).values()),
        peak=peak,
        peak_node=graph.nodes[timeline.index(peak)].name,
        timeline=tuple(timeline),
        saved=sum([sizes[name] for name in maps]) + sum([value.elements for value in extra]),
        saved_indices=sum([value.indices for value in extra]),
        saved_fixed=sum([value.fixed for value in extra]),
        kept=kept,
        sizes=sizes,
        in_place=placed,
    )


def peak_of(graph: Graph) -> int:
    """Return only the peak: the most elements of feature maps alive at once, for one image."""
    return max(alive_of(graph))


def alive_of(graph: Graph) -> list[int]:
    """Return the elements of feature maps alive while each node runs, for one image."""
    return _timeline(graph, storages(graph, in_place(graph), training=False))


def in_place(graph: Graph) -> frozenset[str]:
    """Return the nodes that may overwrite their input.

    Their operator supports it, nothing else reads the value, no view or output shares it, and the
    node that made it does not keep it for its gradient.
    """
    able = [node for node in graph.nodes if node.op.storage is Storage.IN_PLACE]
    readers = Counter([name for node in graph.nodes for name in node.inputs])
    readers.update([output.node for output in graph.outputs])
    return frozenset(
        node.name
        for node in able
        if readers[node.inputs[0]] == 1 and _overwritable(graph, node.inputs[0])
    )


def _overwritable(graph: Graph, name: str) -> bool:
    maker = graph.by_name[name]
    if not maker.inputs or maker.op.storage is Storage.VIEW:
        return False
    saved = graph.facts[name].saved
    # If the maker works in place, its output may share memory with the input that it keeps.
    over = maker.op.storage is Storage.IN_PLACE and saved.input and not saved.copied
    return not saved.output and not over


def storages(graph: Graph, placed: frozenset[str], *, training: bool) -> dict[str, str]:
    """Return, for each node, the node whose memory holds its result."""
    roots: dict[str, str] = {}
    for node in graph.nodes:
        name, op = node.name, node.op
        storage = op.training_storage if training else op.storage
        same = name in placed or storage is Storage.VIEW
        roots[name] = roots[node.inputs[0]] if same else name
    return roots


def _sizes(graph: Graph, roots: dict[str, str]) -> dict[str, int]:
    facts = graph.facts
    return {name: facts[name].elements for name, root in roots.items() if root == name}


def _timeline(graph: Graph, roots: dict[str, str]) -> list[int]:
    """Return the elements alive while each node runs."""
    last: dict[str, int] = {}
    for index, node in enumerate(graph.nodes):
        last[roots[node.name]] = index
        for name in node.inputs:
            last[roots[name]] = index
    for output in graph.outputs:
        last.pop(roots[output.node], None)  # it stays
    facts = graph.facts
    ending = [0] * len(graph.nodes)
    for root, index in last.items():
        ending[index] += facts[root].elements
    alive = 0
    timeline = []
    for name, root in roots.items():
        if root == name:
            alive += facts[name].elements
        timeline.append(alive)
        alive -= ending[len(timeline) - 1]
    return timeline


def _kept(graph: Graph, roots: dict[str, str], placed: frozenset[str]) -> dict[str, Kept]:
    """Return what autograd keeps for each node that passes on a gradient."""
    kept: dict[str, Kept] = {}
    for node, facts in zip(graph.nodes, graph.facts.values(), strict=True):
        moving = [name for name in node.inputs if name in kept]
        if not moving and not facts.params:
            continue
        saved = facts.saved
        maps: list[str] = []
        elements = saved.elements
        if saved.copied and node.name in placed:
            elements += facts.elements
        elif saved.input and len(node.inputs) == 1:
            maps.append(roots[node.inputs[0]])
        elif saved.input:
            # Factors are multiplied one after another: each is kept for the gradient of the
            # product before it, and that product for the gradient of the factor.
            moves = [name in kept for name in node.inputs]
            needed = [moves[1], *(any(moves[:place]) for place in range(1, len(moves)))]
            pairs = zip(node.inputs, needed, strict=True)
            maps += dict.fromkeys(roots[name] for name, need in pairs if need)
            elements = elements if any(moves[2:]) else 0
        if saved.output:
            maps.append(roots[node.name])
        kept[node.name] = Kept(tuple(maps), elements, saved.indices, saved.fixed)
    return kept
