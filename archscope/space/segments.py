"""A space as a chain of segments, parts of the network with one input and one output.

This is a domain of `language.elaborate`, as `open_domain` is. It cuts the chain of layers wherever
exactly one feature map passes, so that the cost of a segment depends only on its input shape and
on the few decisions that it reads, and the cost of a network is a sum over its segments.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from archscope.analysis.cost import Sums, sums_of
from archscope.ir import Graph, Output, Shape
from archscope.language.document import Block, Chain, Document, Layer, layers_in
from archscope.language.elaborate import Elaborator, Instance, Walk
from archscope.language.expand import GraphDomain
from archscope.language.expression import Expression, names_in
from archscope.language.limits import Limits
from archscope.language.node_builder import NodeNames
from archscope.language.value import FILLER, HoleFiller, HolePaths
from archscope.space.additive_costs import AdditiveCost
from archscope.space.open_domain import NoFlow, OpenDomain
from archscope.space.open_values import ChosenFrame, Conditions, OpenScope

Passing = tuple[Any, ...]
"""The value between two segments: a shape, and the state left open by each additive cost."""


class NotAChainError(Exception):
    """More than one value passes somewhere, so the network is not a chain of segments."""


class Segment(Struct, frozen=True):
    """A layer in an instance, in one iteration of the surrounding loops."""

    layer: Layer
    instance: Instance
    turns: tuple[int, ...]
    scope: OpenScope

    @property
    def conditions(self) -> Conditions:
        """The values of decisions for which it is part of the network."""
        return self.scope.conditions

    def reads_any(self, names: Collection[str]) -> bool:
        """Return whether its text may read one of these names."""
        return any(
            not value.constant
            and (
                not isinstance(value.content, Expression)
                or not names_in(value.content.text).isdisjoint(names)
            )
            for layer in layers_in((self.layer,))
            for value in layer.slots().values()
        )

    def costs(
        self,
        document: Document,
        limits: Limits,
        choices: dict[str, Any],
        entering: Passing,
        extras: Sequence[AdditiveCost] = (),
    ) -> tuple[Sums, Passing]:
        """Return the sums over its nodes with those of `extras`, and its output.

        `choices` has a value for every decision, by path; shapes are channels first. Raises
        SpecError, and NotAChainError if it ends in more than one value.
        """
        domain = GraphDomain(document, limits, choices)
        domain.lets[FILLER] = HoleFiller(choices, HolePaths())
        made, layer = domain.made, self.layer
        made.input("x", entering[0], layer.at)
        flow: NodeNames = ("x",)
        around = self.instance
        instance = Instance(around.block, around.path, flow)
        instance.turns = self.turns
        frame = ChosenFrame(self.scope, choices, instance.hole_paths(layer))
        domain.enter(layer, instance, frame, flow)
        block = document.blocks.get(layer.word)
        if block is None:
            flow = domain.operator(layer, instance, frame, flow)
        else:
            walk = Elaborator(document.blocks, limits, domain)
            inside, inner = domain.call(layer, block, instance, frame, flow)
            flow = domain.body(inside, inner, flow, walk.chain)
        if len(flow) != 1 or made.outputs:
            raise NotAChainError
        (_, *nodes), end = domain.nodes.values(), domain.nodes[flow[0]]
        sums = sums_of(nodes)
        if not extras:
            return sums, (end.out,)
        if end.op.absorbs_scale and any(node.shares for node in nodes):
            raise NotAChainError  # whether norms are folded depends on other segments
        part = Graph(layer.word, tuple(domain.nodes.values()), (Output("output", end.name),))
        found = [
            extra.of_part(part, before) for extra, before in zip(extras, entering[1:], strict=True)
        ]
        added, left = zip(*found, strict=True)
        return (*sums, *added), (end.out, *left)


class SegmentChain(Struct, frozen=True):
    """A space as a chain of segments, in order."""

    document: Document
    limits: Limits
    segments: tuple[Segment, ...]

    def entering(self, choices: Mapping[str, Any]) -> Shape:
        """Return the shape of the input. Raises SpecError."""
        domain = GraphDomain(self.document, self.limits, choices)
        domain.lets[FILLER] = HoleFiller(choices, HolePaths())
        ((name, value),) = self.document.inputs.items()
        return domain.input_shape(name, value)


def chain_of(document: Document, limits: Limits) -> SegmentChain:
    """Return a document as a chain of segments. Raises NotAChainError, SpecError."""
    if len(document.inputs) != 1:
        raise NotAChainError
    chains = (block.layers for block in document.all_blocks)
    if any(layer.output is not None for chain in chains for layer in layers_in(chain)):
        raise NotAChainError
    domain = SegmentDomain(document, limits)
    domain.run()
    return SegmentChain(document, limits, tuple(domain.segments))


class SegmentDomain:
    """The domain of open values whose operators and blocks become segments."""

    def __init__(self, document: Document, limits: Limits) -> None:
        self.document = document
        self.open = OpenDomain(document, limits)
        self.steps = self.open.steps
        self.segments: list[Segment] = []
        self.walker = Elaborator(document.blocks, limits, self)
        self.calls: list[tuple[Layer, Instance, OpenScope]] = []  # being entered

    def run(self) -> None:
        """Collect the segments. Raises NotAChainError, SpecError."""
        body = self.document.body
        self.walker.chain(body.layers, Instance(body), self.open.enter_document(), ())

    def layers(self, chain: Chain) -> Iterable[Layer]:
        """Return all layers of a chain."""
        return chain

    def enter(self, layer: Layer, instance: Instance, scope: OpenScope, flow: NoFlow) -> None:
        """Reject layers that share weights with others."""
        if layer.share is not None:
            raise NotAChainError

    def sources(self, layer: Layer, instance: Instance, flow: NoFlow) -> NoFlow:
        """Reject: values bypass layers."""
        raise NotAChainError

    def turns(self, layer: Layer, instance: Instance, scope: OpenScope) -> Iterator[OpenScope]:
        """Yield a scope for each possible iteration."""
        return self.open.turns(layer, instance, scope)

    def condition(
        self, layer: Layer, instance: Instance, scope: OpenScope
    ) -> tuple[OpenScope | None, OpenScope | None]:
        """Return the scopes in which `when` is true and false. Raises NotAChainError."""
        scopes = self.open.condition(layer, instance, scope)
        for under in scopes:
            if under is not None and any(part.allowed is None for part in under.conditions):
                raise NotAChainError  # it depends on shapes
        return scopes

    def either(self, then: NoFlow, otherwise: NoFlow) -> NoFlow:
        """Return nothing."""
        return then

    def branches(
        self, layer: Layer, instance: Instance, scope: OpenScope, flow: NoFlow
    ) -> Iterable[NoFlow]:
        """Reject: several values pass."""
        raise NotAChainError

    def merge(self, layer: Layer, ends: Iterable[NoFlow]) -> NoFlow:
        """Reject, as `branches` does."""
        raise NotAChainError

    def operator(self, layer: Layer, instance: Instance, scope: OpenScope, flow: NoFlow) -> NoFlow:
        """Add an operator as a segment."""
        self._add(layer, instance, scope)
        return flow

    def call(
        self, layer: Layer, block: Block, instance: Instance, scope: OpenScope, flow: NoFlow
    ) -> tuple[Instance, OpenScope]:
        """Return an instance of a block, and the scope of its values."""
        self.calls.append((layer, instance, scope))
        return self.open.call(layer, block, instance, scope, flow)

    def body(
        self, instance: Instance, scope: OpenScope, flow: NoFlow, walk: Walk[OpenScope, NoFlow]
    ) -> NoFlow:
        """Add a block as a segment, or as several if it is a chain of layers with holes."""
        layer, around, outside = self.calls.pop()
        if self.open.visited.intersection(instance.block.layers):
            segments, calls, depth = len(self.segments), len(self.calls), self.walker.depth
            try:
                return walk(instance.block.layers, instance, scope, flow)
            except NotAChainError:
                del self.segments[segments:], self.calls[calls:]
                self.walker.depth = depth
        self._add(layer, around, outside)
        return flow

    def output(self, layer: Layer, scope: OpenScope, flow: NoFlow) -> None:
        """Reject, as `sources` does."""
        raise NotAChainError

    def _add(self, layer: Layer, instance: Instance, scope: OpenScope) -> None:
        """Add a segment, unless its arguments read a shape other than that of its input."""
        for value in layer.args.values():
            for part in value.parts():
                if isinstance(part.content, Expression):
                    for name in names_in(part.content.text) - {"x"}:
                        found = scope.find(name)
                        if found is not None and found.deps is None:
                            raise NotAChainError
        self.segments.append(Segment(layer, instance, instance.turns, scope))
