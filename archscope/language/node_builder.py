"""Build the nodes of a graph while a spec is expanded: names, limits and shared weights."""

from __future__ import annotations

from math import prod

from archscope.errors import LimitError, ShapeError, SpecError
from archscope.graph_builder import GraphBuilder
from archscope.ir import Graph, Op, Output, Shape, Source, text_of
from archscope.language.document import Document
from archscope.language.elaborate import Instance
from archscope.language.limits import Limits, StepCounter
from archscope.ops import OPS

NodeNames = tuple[str, ...]
"""The nodes whose values enter a layer: one in a chain, several after `from: [a, b]`."""


class NodeBuilder:
    """Collects the nodes and outputs of one graph."""

    def __init__(self, limits: Limits, steps: StepCounter) -> None:
        self.limits, self.steps = limits, steps
        self.builder = GraphBuilder()
        self.nodes = self.builder.nodes  # by name
        self.outputs: list[Output] = []
        self.sites: dict[str, Source] = {}  # the location of each use of a block
        self.taken: dict[str, None] = {}  # the names of nodes and instances, in order

    def graph(self, document: Document) -> Graph:
        """Return the graph of a document after all its nodes were added."""
        return Graph(
            document.name,
            tuple(self.nodes.values()),
            tuple(self.outputs),
            document.about,
            tuple(document.reference.items()),
            document.paper,
            self.sites,
        )

    def input(self, name: str, shape: Shape, at: Source) -> None:
        """Add an input of the network. Raises LimitError."""
        self.builder.add(name, OPS["input"](size=shape), at=at)
        self._check_size(name, at)
        self.taken[name] = None

    def output(
        self, name: str, flow: NodeNames, at: Source, weight: float = 1.0, train_only: bool = False
    ) -> None:
        """Add an output of the network. Raises SpecError."""
        if len(flow) != 1:
            raise SpecError(f"output '{name}' must be one value, got {len(flow)}", at)
        if any(output.name == name for output in self.outputs):
            raise SpecError(f"two outputs are named '{name}'", at)
        self.outputs.append(Output(name, flow[0], weight, train_only))

    def claim(self, instance: Instance, base: str, at: Source) -> str:
        """Return the full name of the next node or block called `base`. Raises SpecError."""
        name = instance.node_name(base)
        if len(name) >= 64:  # names grow with nested blocks, and every node has one
            self.steps.spend(len(name) // 64, at)
        if name in self.taken:
            raise SpecError(f"the name '{name}' is already taken", at)
        self.taken[name] = None
        return name

    def add(
        self, instance: Instance, base: str, op: Op, flow: NodeNames, at: Source,
        share: str | None = None, params: int | None = None, weight_macs: int = 0,
    ) -> str:  # fmt: skip
        """Add a node to an instance and return its name. Raises SpecError."""
        if len(self.nodes) >= self.limits.nodes:
            raise LimitError(f"more nodes than the limit of {self.limits.nodes}", at)
        name = self.claim(instance, base, at)
        mirror = mirror_of(instance, name, share)
        try:
            self.builder.add(name, op, flow, None, at)
        except ShapeError as error:
            raise SpecError(str(error), at) from None
        self._check_size(name, at)
        if params is not None or weight_macs:
            self.builder.count(name, params, weight_macs=weight_macs)
        if mirror is not None:
            self._share(name, mirror, at)
        return name

    def _check_size(self, name: str, at: Source) -> None:
        shape = self.nodes[name].out
        for count, limit, what in (
            (prod(shape), self.limits.number, "elements"),
            (max(shape[1:], default=1), self.limits.positions, "positions along an axis"),
        ):
            if count > limit:
                raise LimitError(
                    f"'{name}' has the shape {text_of(shape)}, more {what} than the limit"
                    f" of {limit}",
                    at,
                )

    def _share(self, name: str, mirror: tuple[str, str], at: Source) -> None:
        """Let a node use the weights of the corresponding node of `mirror`."""
        node = self.nodes[name]
        if not node.op.params(*node.ins) and not node.op.buffers(*node.ins):
            return
        owner = self.nodes.get(mirror[1] + name[len(mirror[0]) :])
        if owner is None:
            raise SpecError(f"'{name}' cannot share weights: '{mirror[1]}' has no such part", at)
        if node.op.weights_key(*node.ins) != owner.op.weights_key(*owner.ins):
            got, wanted = node.op.torch(*node.ins), owner.op.torch(*owner.ins)
            raise SpecError(f"'{name}' cannot share weights: it is {got}, not {wanted}", at)
        self.builder.share(name, owner.shares or owner.name)


def mirror_of(instance: Instance, name: str, share: str | None) -> tuple[str, str] | None:
    """Return the name of a node or block, and that of the earlier one whose weights it shares."""
    if share is None:
        return instance.mirror
    if share in instance.shares:
        return name, instance.shares[share]
    instance.shares[share] = name
    return instance.mirror
