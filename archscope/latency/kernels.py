"""Find the kernels that a runtime executes for a network.

Kernels, not layers, take time: onnxruntime runs a convolution with its batch norm, sum and
activation at once, as nn-Meter (Zhang et al. 2021, MobiSys) found for mobile runtimes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from msgspec import Struct, structs

from archscope.analysis.batch_norms import foldable
from archscope.ir import Graph, Node, Op
from archscope.latency.kernel_kinds import (
    BY_ELEMENT,
    EAGER,
    EAGER_GPU,
    FEATURES,
    INDUCTOR,
    NONE,
    ONNXRUNTIME,
    TAKES_ACTIVATION,
    TAKES_SUM,
    Kind,
)
from archscope.latency.layouts import AS_INPUTS, BLOCKS, PLAIN
from archscope.latency.operator_kernels import Piece, piece_of


class Kernel(Struct, frozen=True, gc=False):
    """A kernel of a runtime: its nodes, the main one first, its kind and its `FEATURES`."""

    nodes: tuple[str, ...]
    kind: str
    features: tuple[float, ...]


class OpenKernel(Struct, frozen=True, gc=False):
    """The last kernel of a part of a network, if nodes after the part may join it."""

    kind: str
    features: tuple[float, ...] = ()  # so far; empty if they are among the kernels of the part
    activates: bool = False
    has_sum: bool = False
    absorbs: bool = False  # the result is that of a layer into which a batch norm can be folded
    blocks: bool = False  # the result is in blocks of channels


class _Open:
    """A kernel that more nodes may join."""

    def __init__(self, name: str, kind: str, features: Sequence[float], activates: bool) -> None:
        self.nodes, self.kind, self.features = [name], kind, list(features)
        self.activates = activates
        self.has_sum = self.closed = self.blocks = False

    @classmethod
    def of(cls, node: Node, piece: Piece) -> _Open:
        # onnxruntime turns a batch norm that it cannot fold into a depthwise convolution.
        activates = piece.kind in TAKES_ACTIVATION or node.op.scales_channels
        made = cls(node.name, piece.kind, piece.features, activates)
        made.has_sum = len(node.out) != 3  # only convolutions of images take one
        return made

    @classmethod
    def resumed(cls, name: str, kernel: OpenKernel) -> _Open:
        made = cls(name, kernel.kind, kernel.features or [0.0] * len(FEATURES), kernel.activates)
        made.has_sum, made.blocks = kernel.has_sum, kernel.blocks
        return made

    def join(self, node: Node) -> None:
        self.nodes.append(node.name)

    @property
    def takes_sum(self) -> bool:
        return self.kind in TAKES_SUM and not (self.closed or self.has_sum)

    def kernel(self) -> Kernel:
        return Kernel(tuple(self.nodes), self.kind, tuple(self.features))

    def add(self, name: str, value: float) -> None:
        self.features[FEATURES.index(name)] += value


def kernels(graph: Graph, fusion: str) -> tuple[Kernel, ...]:
    """Return the kernels of a network at inference, each with the nodes that it computes.

    `fusion` is one of `FUSIONS`. Nodes that need no work at run time are in no kernel.
    """
    found = _Fusion(graph.inference(), fusion)
    found.go()
    return tuple(made.kernel() for made in found.made)


def kernels_of_part(
    graph: Graph, fusion: str, entering: OpenKernel | None
) -> tuple[list[Kernel], OpenKernel | None]:
    """Return the kernels of a part of a network, and the one that nodes after it may join.

    The part has one input, its first node, and one output. `entering` is the open kernel of the
    part before it. What this part adds to that kernel is a kernel with only these features; if the
    addition may change the kind, the kernel belongs to the part that ends it.
    """
    found = _Fusion(graph, fusion, entering)
    found.go()
    kernel, leaving = found.leaving()
    belongs_later = kernel if leaving is not None and leaving.features else None
    return [made.kernel() for made in found.made if made is not belongs_later], leaving


class _Fusion:
    """Walks through a graph and fuses nodes into kernels before them."""

    def __init__(self, graph: Graph, fusion: str, entering: OpenKernel | None = None) -> None:
        self.graph, self.fusion, self.entering = graph, fusion, entering
        self.twins = twins(graph) if fusion == ONNXRUNTIME else {}
        self.outputs = {self._made_by(output.node) for output in graph.outputs}
        self.readers: dict[str, list[str]] = {node.name: [] for node in graph.nodes}
        for node in graph.nodes:
            if node.name not in self.twins:
                for name in map(self._made_by, node.inputs):
                    self.readers[name].append(node.name)
        self.by_end: dict[str, _Open] = {}
        self.blocks: set[str] = set()  # nodes whose results are in blocks of channels
        self.reordered: set[str] = set()
        absorbing: tuple[str, ...] = ()
        if entering is not None:
            entry = graph.nodes[0]
            self.by_end[entry.name] = _Open.resumed(entry.name, entering)
            absorbing = (entry.name,) if entering.absorbs else ()
            self.blocks |= {entry.name} if entering.blocks else set()
        self.made: list[_Open] = [*self.by_end.values()]
        self.folded = foldable(graph, absorbing) if fusion == ONNXRUNTIME else {}

    def go(self) -> None:
        for node in self.graph.nodes:
            if node.inputs:
                self._take(node)

    def leaving(self) -> tuple[_Open | None, OpenKernel | None]:
        """Return the kernel of the only output, and what may still join it."""
        kernel, found = self._leaving()
        if self._made_by(self.graph.outputs[0].node) in self.blocks:
            found = structs.replace(found or OpenKernel(Kind.VIEW), blocks=True)
        return kernel, found

    def _leaving(self) -> tuple[_Open | None, OpenKernel | None]:
        (output,) = self.graph.outputs
        end = self.graph.by_name[self._made_by(output.node)]
        kernel = self.by_end.get(end.name)
        if kernel is None or self.readers[end.name]:
            return kernel, None
        if self.fusion == INDUCTOR:
            by_element = kernel.kind in BY_ELEMENT
            features = tuple(kernel.features)
            return kernel, OpenKernel(kernel.kind, features) if by_element else None
        absorbs = end.op.absorbs_scale and end.new_params is None
        if end is self.graph.nodes[0]:
            absorbs = self.entering is not None and self.entering.absorbs
        activates = kernel.activates and not kernel.closed
        if self.fusion != ONNXRUNTIME or not (absorbs or activates or kernel.takes_sum):
            return kernel, None
        return kernel, OpenKernel(kernel.kind, (), activates, kernel.has_sum, absorbs)

    def _made_by(self, name: str) -> str:
        """Return the node that a runtime computes instead of another."""
        return self.twins.get(name, name)

    def _take(self, node: Node) -> None:
        twin = self.by_end.get(self._made_by(node.name))
        if node.name in self.twins:
            if twin is not None:
                twin.join(node)
            return
        piece = piece_of(node.op, node.ins, self.fusion)
        if piece.kind == Kind.VIEW and self.fusion not in (NONE, EAGER, EAGER_GPU):
            kernel = self._alone(self._made_by(node.inputs[0]))
            joinable = self.fusion == INDUCTOR or piece.layout == AS_INPUTS
            if kernel is not None and joinable:  # by what is behind the view
                self.by_end[node.name] = kernel
            self._arrange(node, piece.layout)
            return
        kernel = self._kernel_to_join(node, piece)
        if kernel is None:
            kernel = _Open.of(node, piece)
            kernel.blocks = self._arrange(node, piece.layout)
            self.made.append(kernel)
        else:
            kernel.join(node)
            self._arrange(node, BLOCKS if kernel.blocks else PLAIN)
        self.by_end[node.name] = kernel

    def _arrange(self, node: Node, layout: str) -> bool:
        """Reorder inputs to the layout that a node needs; return whether it writes blocks."""
        if self.fusion != ONNXRUNTIME:
            return False
        inputs = [self._made_by(name) for name in node.inputs]
        if layout == AS_INPUTS:
            layout = BLOCKS if self.blocks.issuperset(inputs) else PLAIN
        wanted = layout == BLOCKS
        for name, shape in zip(inputs, node.ins, strict=True):
            if (name in self.blocks) != wanted and name not in self.reordered:
                self.reordered.add(name)
                self.made.append(
                    _Open(node.name, Kind.REORDER, _moved(prod(shape)), activates=False)
                )
        if layout != PLAIN:
            self.blocks.add(node.name)
        return layout != PLAIN

    def _alone(self, name: str) -> _Open | None:
        """Return the kernel whose result only this node reads."""
        alone = len(self.readers[name]) == 1 and name not in self.outputs
        return self.by_end.get(name) if alone else None

    def _kernel_to_join(self, node: Node, piece: Piece) -> _Open | None:
        if node.name in self.folded:
            return self.by_end[self._made_by(node.inputs[0])]
        if self.fusion == ONNXRUNTIME:
            return self._convolution(node, piece)
        if self.fusion == INDUCTOR and piece.kind in BY_ELEMENT:
            return self._element_wise(node, piece)
        return None

    def _convolution(self, node: Node, piece: Piece) -> _Open | None:
        """Return the convolution that absorbs an activation, or a sum with another value."""
        if piece.activation:
            kernel = self._alone(self._made_by(node.inputs[0]))
            if kernel is not None and kernel.activates and not kernel.closed:
                kernel.closed = True
                if piece.activation != "Relu":
                    kernel.add("activated", prod(node.out))
                return kernel
        elif piece.scales:
            kernel = self._alone(self._made_by(node.inputs[0]))
            if kernel is not None and kernel.takes_sum:
                return kernel
        elif node.op.zero_is_neutral and len(node.ins) == 2 and node.ins[0] == node.ins[1]:
            found = [self._alone(self._made_by(name)) for name in node.inputs]
            open_ = [kernel for kernel in found if kernel and kernel.takes_sum]
            if open_:
                kernel = open_[0]
                kernel.has_sum = True
                kernel.add("merged", prod(node.out))
                return kernel
        return None

    def _element_wise(self, node: Node, piece: Piece) -> _Open | None:
        """Return the element-wise kernel before a node, which then also reads its other inputs."""
        found = [self._alone(self._made_by(name)) for name in node.inputs]
        open_ = [kernel for kernel in found if kernel and kernel.kind in BY_ELEMENT]
        if not open_:
            return None
        kernel = open_[0]
        inside = found.index(kernel)
        others = sum(prod(x) for place, x in enumerate(node.ins) if place != inside)
        kernel.add("input", others)
        kernel.add("work", node.facts.elementwise)
        if piece.kind == Kind.FUNCTION:
            kernel.kind = Kind.FUNCTION
        return kernel


def _moved(elements: int) -> list[float]:
    values = {"kernels": 1, "input": elements, "output": elements}
    return [float(values.get(name, 0)) for name in FEATURES]


def twins(graph: Graph) -> dict[str, str]:
    """Return the nodes without weights that repeat an earlier node, mapped to that node."""
    found: dict[str, str] = {}
    first: dict[tuple[Op, tuple[str, ...]], str] = {}
    for node in graph.nodes:
        if node.inputs and not node.facts.params and not node.facts.buffers:
            inputs = tuple(found.get(name, name) for name in node.inputs)
            name = first.setdefault((node.op, inputs), node.name)
            if name != node.name:
                found[node.name] = name
    return found
