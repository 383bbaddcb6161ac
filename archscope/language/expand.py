"""Expand a document to a graph: compute its values and add a node for each operator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import repeat
from typing import Any, Protocol

from archscope.errors import SpecError, did_you_mean, quoted, shortened
from archscope.ir import Graph, Op, Shape
from archscope.language.checks import SHAPE, checked, part_sizes, shape_of, truth, turns
from archscope.language.document import COUNTED, Block, Chain, Document, Layer
from archscope.language.elaborate import Elaborator, Instance, Walk
from archscope.language.expression import Frame
from archscope.language.limits import LIMITS, Limits, StepCounter
from archscope.language.node_builder import NodeBuilder, NodeNames, mirror_of
from archscope.language.value import FILLER, HoleFiller, HolePaths, Lets, Value
from archscope.ops import OPS
from archscope.ops.attributes import COUNT, NUMBER, attributes


class Reuse(Protocol):
    """Cached results of earlier expansions of the same document with other choices."""

    constants: dict[Layer, Op]
    """The operators of layers with constant arguments."""

    def body(
        self,
        domain: GraphDomain,
        instance: Instance,
        frame: Frame,
        flow: NodeNames,
        walk: Walk[Frame, NodeNames],
    ) -> NodeNames:
        """Return the flow after an instance of a block, which is walked only if it is new."""


def expand(
    document: Document,
    limits: Limits = LIMITS,
    *,
    choices: Mapping[str, Any] = {},
    shapes: Mapping[str, Shape] = {},
) -> Graph:
    """Return the graph of a document. Raises SpecError.

    `choices` gives the values of the holes, by path; `shapes` replaces input shapes, by name.
    """
    domain = GraphDomain(document, limits, choices)
    domain.run(shapes)
    return domain.made.graph(document)


class GraphDomain:
    """The domain of known values: scopes are frames, flows are names of nodes."""

    def __init__(
        self,
        document: Document,
        limits: Limits,
        choices: Mapping[str, Any],
        reuse: Reuse | None = None,
    ) -> None:
        self.document, self.limits, self.choices = document, limits, choices
        self.open = document.open
        self.reuse = reuse
        self.constants: dict[Layer, Op] = {} if reuse is None else reuse.constants
        self.steps = StepCounter(limits.steps)
        self.made = NodeBuilder(limits, self.steps)
        self.nodes = self.made.nodes
        self.lets = Lets(document.let)

    def run(self, shapes: Mapping[str, Shape] = {}) -> None:
        """Expand the document into `made`. Raises SpecError."""
        document = self.document
        if self.open:
            self.lets[FILLER] = HoleFiller(self.choices, HolePaths())
        for name, value in document.inputs.items():
            self.made.input(name, shapes.get(name) or self.input_shape(name, value), value.at)
        inputs = tuple(document.inputs)
        body = Instance(document.body, entry=inputs)
        body.names.update({name: (name,) for name in inputs})
        frame = Frame(self.lets, {"in": self.shapes(inputs)})
        walk = Elaborator(document.blocks, self.limits, self)
        flow = walk.chain(document.body.layers, body, frame, inputs if len(inputs) == 1 else ())
        if self._is_output(flow):
            self.made.output("output", flow, document.body.at)
        if not self.made.outputs:
            raise SpecError("the spec has no layer that computes anything", document.body.at)

    def _is_output(self, flow: NodeNames) -> bool:
        """Return whether the end of the document is an output even without `output`.

        It is if it is computed and not read by anything; else only heads are outputs.
        """
        ends = {name for name in flow if self.nodes[name].inputs}
        ends.difference_update(*(node.inputs for node in self.nodes.values()))
        return bool(ends - {output.node for output in self.made.outputs})

    def input_shape(self, name: str, value: Value) -> Shape:
        """Return the shape of an input. Raises SpecError."""
        content = value(self.lets)
        shape = shape_of(content)
        if shape is None:
            raise SpecError(
                f"the shape of '{name}' must be {SHAPE}, got {quoted(content)}", value.at
            )
        return shape

    def shapes(self, flow: NodeNames) -> Any:
        """Return the value of `in` and `x`: a shape, or a list if several values enter."""
        nodes = self.nodes
        return nodes[flow[0]].out if len(flow) == 1 else [nodes[name].out for name in flow]

    def layers(self, chain: Chain) -> Chain:
        """Return all layers of a chain."""
        return chain

    def enter(self, layer: Layer, instance: Instance, frame: Frame, flow: NodeNames) -> None:
        """Set the entering shapes and the choices for holes in the frame of a layer."""
        frame["x"] = self.shapes(flow)
        if self.open and layer.open:
            frame[FILLER] = HoleFiller(self.choices, instance.hole_paths(layer))

    def sources(self, layer: Layer, instance: Instance, flow: NodeNames) -> NodeNames:
        """Return the nodes that `from` names."""
        found: list[str] = []
        for name in layer.sources or ():
            named = instance.entry if name == "in" else instance.names.get(name)
            if named is None:
                raise SpecError(_why_missing(name, instance, self.made), layer.at)
            self.steps.spend(len(named), layer.at)
            found += named
        return tuple(found)

    def turns(self, layer: Layer, instance: Instance, frame: Frame) -> Iterator[Frame]:
        """Yield a frame with the loop variables of each iteration."""
        for names in turns(layer, frame, self.limits.repeat, self.steps.spend):
            yield Frame(frame, names)

    def condition(
        self, layer: Layer, instance: Instance, frame: Frame
    ) -> tuple[Frame | None, Frame | None]:
        """Return the frame in the place for the value of `when`, true or false."""
        assert layer.when is not None
        if truth(layer.when, frame, "when"):
            return frame, None
        instance.skip(layer.base)
        return None, frame

    def either(self, then: NodeNames, otherwise: NodeNames) -> NodeNames:
        """Never called: a computed condition is either true or false."""
        raise NotImplementedError

    def branches(
        self, layer: Layer, instance: Instance, frame: Frame, flow: NodeNames
    ) -> Iterable[NodeNames]:
        """Return the flow that enters each branch; `split` adds a node for each part."""
        number = len(layer.branches or ())
        if layer.split is None:
            return repeat(flow, number)
        if len(flow) != 1:
            raise SpecError(f"'split' needs a single value, got {len(flow)}", layer.split.at)
        starts: list[NodeNames] = []
        start = 0
        for size in part_sizes(layer.split, frame, self.nodes[flow[0]].out[0], number):
            op = OPS["slice"](start=start, stop=start + size)
            starts.append((self.made.add(instance, "slice", op, flow, layer.at),))
            start += size
        return starts

    def merge(self, layer: Layer, ends: Iterable[NodeNames]) -> NodeNames:
        """Return the last nodes of all branches."""
        merged: list[str] = []
        for end in ends:
            if len(end) != 1:
                what = f"{len(end)} values" if end else "none; say 'from:' in it"
                raise SpecError(f"a branch must end in one value, this ends in {what}", layer.at)
            merged += end
        return tuple(merged)

    def operator(
        self, layer: Layer, instance: Instance, frame: Frame, flow: NodeNames
    ) -> NodeNames:
        """Add a node and return its name."""
        if not flow:
            raise SpecError(_nothing_enters(layer, instance), layer.at)
        op = self.constants.get(layer) or self._op(layer, frame)
        if op.branching and len(flow) < op.arity[0]:
            raise SpecError(
                f"'{layer.word}' takes at least {op.arity[0]} values, got {len(flow)};"
                " write a list of branches under it, or 'from: [a, b]' beside it",
                layer.at,
            )
        counts = {
            key: checked(COUNT, value, frame, key)
            for key in COUNTED
            if (value := getattr(layer, key)) is not None
        }
        return (self.made.add(instance, layer.base, op, flow, layer.at, layer.share, **counts),)

    def _op(self, layer: Layer, frame: Frame) -> Op:
        cls = OPS[layer.word]
        table = attributes(cls)
        fields = {}
        for name, value in layer.args.items():
            attribute = table[name]
            optional = attribute.default is None and not attribute.required
            fields[name] = checked(attribute.kind, value, frame, name, layer.word, optional)
        for name, attribute in table.items():
            if attribute.required and name not in fields:
                raise SpecError(f"'{layer.word}' needs '{name}': {attribute.about}", layer.at)
        op = cls(**fields)
        if all(value.constant for value in layer.args.values()):
            self.constants[layer] = op
        return op

    def call(
        self, layer: Layer, block: Block, instance: Instance, frame: Frame, flow: NodeNames
    ) -> tuple[Instance, Frame]:
        """Return an instance of a block under a new name, and a frame with its values."""
        if not flow:
            raise SpecError(_nothing_enters(layer, instance), layer.at)
        inner = Frame(self.lets)
        for name, value in layer.args.items():
            inner[name] = value(frame)
        inner["in"] = self.shapes(flow)
        path = instance.hole_paths(layer).own if self.open else ""
        if self.open and block.open:
            inner[FILLER] = HoleFiller(self.choices, HolePaths(path, f"{block.name}."))
        for name, default in block.defaults.items():
            if name not in inner and default is not None:
                inner[name] = default(inner)
        name = self.made.claim(instance, layer.base, layer.at)
        self.made.sites[name] = layer.at
        mirror = mirror_of(instance, name, layer.share)
        made = Instance(block, path, flow, f"{name}.", mirror)
        if block.entries:
            if len(flow) != len(block.entries):
                raise SpecError(
                    f"'{layer.word}' takes {len(block.entries)} inputs,"
                    f" {' and '.join(block.entries)}, got {len(flow)}",
                    layer.at,
                )
            pairs = zip(block.entries, flow, strict=True)
            made.names.update({entry: (node,) for entry, node in pairs})
        return made, inner

    def body(
        self, instance: Instance, frame: Frame, flow: NodeNames, walk: Walk[Frame, NodeNames]
    ) -> NodeNames:
        """Return the last nodes of a block."""
        if self.reuse is None or instance.mirror is not None:
            return walk(instance.block.layers, instance, frame, flow)
        return self.reuse.body(self, instance, frame, flow, walk)

    def output(self, layer: Layer, frame: Frame, flow: NodeNames) -> None:
        """Add an output of the network."""
        head = layer.output
        assert head is not None
        weight = checked(NUMBER, head.weight, frame, "weight")
        train_only = truth(head.train_only, frame, "train_only")
        self.made.output(head.name, flow, layer.at, weight, train_only)


def _nothing_enters(layer: Layer, instance: Instance) -> str:
    known = shortened(", ".join(instance.names))
    return f"nothing enters '{layer.word}'; say 'from:' one of {known}"


def _why_missing(name: str, instance: Instance, made: NodeBuilder) -> str:
    """Return the error message for an unknown name in `from`."""
    if name in instance.block.names:
        return (
            f"'{name}' is not there yet: a layer reads only layers before it,"
            " so that there is no cycle"
        )
    if instance.prefix + name in made.taken:
        return f"no layer is named '{name}'; write 'name: {name}' beside the one that you mean"
    return f"no layer is named '{name}'{did_you_mean(name, {*instance.names, 'in'})}"
