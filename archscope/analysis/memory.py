"""How much memory do feature maps need: all of them, at the peak, and for training?

The model is eager execution in the order of the nodes. A value lives from the node that makes
it to the last that reads it. Views share the memory of what they look at, and an activation
function works in place where nothing else needs its input (`in_place`); the built module does
exactly the same. Workspace of kernels and the allocator's rounding are not in it.
"""

from __future__ import annotations

from msgspec import Struct

from archscope.ir import Graph, Node, Storage

OPTIMIZERS = {"sgd": 0, "momentum": 1, "adam": 2}
"""Copies of the parameters that an optimizer keeps."""


class Moment(Struct, frozen=True):
    """The feature maps alive while one node runs."""

    node: str
    elements: int


class Kept(Struct, frozen=True):
    """What autograd keeps of one node until the backward pass."""

    maps: tuple[str, ...]  # nodes whose feature map is kept
    elements: int  # extra tensors for each image
    indices: int  # whole numbers of 8 bytes for each image
    fixed: int  # 4-byte numbers, whatever the batch


class Memory(Struct, frozen=True):
    """Feature maps of one image, in elements, and what autograd keeps of it."""

    activations: int  # all feature maps, the input with them
    peak: Moment
    timeline: tuple[Moment, ...]
    saved: int  # elements kept for the backward pass
    saved_indices: int  # whole numbers of 8 bytes kept for it
    saved_fixed: int  # 4-byte numbers kept for it, whatever the batch
    kept: dict[str, Kept]  # by node; two nodes may keep the same map
    sizes: dict[str, int]  # elements of each map while training
    in_place: frozenset[str]

    def inference_bytes(self, weights: int, batch: int, size: int) -> int:
        """Return the peak for `weights` numbers and a batch, of elements of `size` bytes."""
        return (weights + self.peak.elements * batch) * size

    def saved_bytes(self, batch: int, size: int) -> int:
        """Return what the backward pass of a batch needs kept."""
        per_image = self.saved * size + self.saved_indices * 8
        return per_image * batch + self.saved_fixed * 4

    def training_bytes(
        self, params: int, buffers: int, optimizer: str, batch: int, size: int
    ) -> int:
        """Return weights + gradients + optimizer state + saved feature maps.

        It is what is held when the forward pass ends, a lower bound of the peak: short-lived
        tensors of the backward pass come on top.
        """
        held = (params * (2 + OPTIMIZERS[optimizer]) + buffers) * size
        return held + self.saved_bytes(batch, size)

    def largest_batch(
        self, room: int, params: int, buffers: int, size: int, optimizer: str | None = None
    ) -> int:
        """Return how many images fit into `room` bytes, for training if an optimizer is named."""
        if optimizer is None:
            fixed = (params + buffers) * size
            each = self.peak.elements * size
        else:
            fixed = self.training_bytes(params, buffers, optimizer, 0, size)
            each = self.saved * size + self.saved_indices * 8
        return max(0, (room - fixed) // each) if each else 0


def memory(graph: Graph) -> Memory:
    """Return the memory that feature maps of one image need."""
    placed = in_place(graph)
    roots = storages(graph, placed, training=False)
    timeline = _timeline(graph, roots)
    sizes = _sizes(graph, roots)
    training_roots = storages(graph, placed, training=True)
    training_sizes = _sizes(graph, training_roots)
    kept = _kept(graph, training_roots, placed)
    maps = {name for one in kept.values() for name in one.maps}
    return Memory(
        activations=sum(sizes.values()),
        peak=max(timeline, key=lambda moment: moment.elements),
        timeline=tuple(timeline),
        saved=sum(training_sizes[name] for name in maps)
        + sum(one.elements for one in kept.values()),
        saved_indices=sum(one.indices for one in kept.values()),
        saved_fixed=sum(one.fixed for one in kept.values()),
        kept=kept,
        sizes=training_sizes,
        in_place=placed,
    )


def in_place(graph: Graph) -> frozenset[str]:
    """Return the nodes that may overwrite their input.

    Their operator can, they alone read the value, no view or output shows it, and the node
    that made it does not keep it for its gradient.
    """
    able = [node for node in graph.nodes if node.op.storage is Storage.IN_PLACE]
    if not able:
        return frozenset()
    readers: dict[str, int] = {}
    for node in graph.nodes:
        for name in node.inputs:
            readers[name] = readers.get(name, 0) + 1
    shown = {output.node for output in graph.outputs}
    return frozenset(
        node.name
        for node in able
        if readers[node.inputs[0]] == 1
        and node.inputs[0] not in shown
        and _overwritable(graph.by_name[node.inputs[0]])
    )


def _overwritable(node: Node) -> bool:
    made = node.inputs and node.op.storage is not Storage.VIEW
    return bool(made) and not node.facts.saved.output


def storages(graph: Graph, placed: frozenset[str], *, training: bool) -> dict[str, str]:
    """Return for each node the name of the node whose memory its result lies in."""
    roots: dict[str, str] = {}
    for node in graph.nodes:
        storage = node.op.storage
        if training and node.op.training_storage is not None:
            storage = node.op.training_storage
        same = node.name in placed or storage is Storage.VIEW
        roots[node.name] = roots[node.inputs[0]] if same else node.name
    return roots


def _sizes(graph: Graph, roots: dict[str, str]) -> dict[str, int]:
    return {node.name: node.facts.elements for node in graph.nodes if roots[node.name] == node.name}


def _timeline(graph: Graph, roots: dict[str, str]) -> list[Moment]:
    last: dict[str, int] = {}
    for index, node in enumerate(graph.nodes):
        last[roots[node.name]] = index
        for name in node.inputs:
            last[roots[name]] = index
    for output in graph.outputs:
        last[roots[output.node]] = len(graph.nodes)
    ends: dict[int, list[str]] = {}
    for root, index in last.items():
        ends.setdefault(index, []).append(root)
    by_name = graph.by_name
    alive = 0
    timeline = []
    for index, node in enumerate(graph.nodes):
        if roots[node.name] == node.name:
            alive += node.facts.elements
        timeline.append(Moment(node.name, alive))
        for root in ends.get(index, ()):
            alive -= by_name[root].facts.elements
    return timeline


def _kept(graph: Graph, roots: dict[str, str], placed: frozenset[str]) -> dict[str, Kept]:
    """Return what autograd keeps of each node that has a gradient to pass on."""
    kept: dict[str, Kept] = {}
    for node in graph.nodes:
        facts = node.facts
        moving = [name for name in node.inputs if name in kept]
        if not moving and not facts.params:
            continue
        saved = facts.saved
        maps = []
        copied = facts.elements if saved.copied and node.name in placed else 0
        if saved.input and not copied:
            # Of several factors, each is kept for the gradient of another.
            single = len(node.inputs) == 1
            maps = [roots[name] for name in node.inputs if single or moving not in ([], [name])]
        if saved.output:
            maps.append(roots[node.name])
        distinct = tuple(dict.fromkeys(maps))
        kept[node.name] = Kept(distinct, saved.elements + copied, saved.indices, saved.fixed)
    return kept
