"""Walk through a document: chains, loops, conditions, branches and blocks.

There is only one walk; a domain defines what values are:

* `expand.GraphDomain` computes them, and adds a node to a graph for each operator;
* `archscope.space.open_domain` lets them depend on decisions, and makes each hole a decision.

A domain chooses its own type of scope, in which names have values, and its own type of flow, which
enters and leaves layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

from archscope.errors import LENGTH, LimitError, SpecError
from archscope.language.document import GROUP, Block, Chain, Layer
from archscope.language.limits import Limits, StepCounter
from archscope.language.value import HolePaths
from archscope.ops import OPS

Scope = TypeVar("Scope")
Flow = TypeVar("Flow", bound=Sized)


class Instance(Struct, eq=False):
    """The body of a document, or one use of a block, during the walk."""

    block: Block
    path: str = ""  # the prefix of the paths of its holes
    entry: Any = ()  # the flow that enters it
    prefix: str = ""  # the prefix of the names of its nodes
    mirror: tuple[str, str] | None = None  # its prefix, and the prefix it shares weights with
    turns: tuple[int, ...] = ()  # the indices of the loops around the current layer
    names: dict[str, Any] = {}  # the flows that leave its named layers
    counters: dict[str, int] = {}  # the number of nodes with each base name
    shares: dict[str, str] = {}  # the owner of the weights of each name in `share`

    def hole_paths(self, layer: Layer) -> HolePaths:
        """Return the prefixes of the paths of a layer's holes."""
        label = self.block.labels.get(layer)
        home = f"{self.block.name}." if self.block.name else ""
        if label is None:
            return HolePaths(self.path, home)
        return HolePaths(f"{self.path}{label.in_turn(self.turns)}.", f"{home}{label.text}.")

    def node_name(self, base: str) -> str:
        """Return the full name of the next node or block called `base`."""
        if base not in self.block.numbered:
            return self.prefix + base
        number = self.counters.get(base, 0)
        self.counters[base] = number + 1
        # After a digit the number is set apart: relu6_1 is the second relu6.
        return f"{self.prefix}{base}{'_' if base[-1].isdigit() else ''}{number}"

    def skip(self, base: str) -> None:
        """Reserve the number of a layer that `when` skips, so that later names do not change."""
        if base in self.block.numbered:
            self.counters[base] = self.counters.get(base, 0) + 1


Walk = Callable[[Chain, Instance, Scope, Flow], Flow]


class Domain(Protocol[Scope, Flow]):
    """The meaning of values, scopes and flows. Every method may raise SpecError."""

    steps: StepCounter

    def layers(self, chain: Chain) -> Iterable[Layer]:
        """Return the layers of a chain to walk."""

    def enter(self, layer: Layer, instance: Instance, scope: Scope, flow: Flow) -> None:
        """Prepare the scope for the values of a layer, before its loop and in each iteration."""

    def sources(self, layer: Layer, instance: Instance, flow: Flow) -> Flow:
        """Return the flow that `from` names, or else `flow`."""

    def turns(self, layer: Layer, instance: Instance, scope: Scope) -> Iterator[Scope]:
        """Yield the scope of each iteration of a loop."""

    def condition(
        self, layer: Layer, instance: Instance, scope: Scope
    ) -> tuple[Scope | None, Scope | None]:
        """Return the scopes in which `when` is true and false, each None if impossible."""

    def either(self, then: Flow, otherwise: Flow) -> Flow:
        """Return the flow after a layer whose `when` may be true or false."""

    def branches(
        self, layer: Layer, instance: Instance, scope: Scope, flow: Flow
    ) -> Iterable[Flow]:
        """Return the flow that enters each branch: the whole flow, or its part after `split`."""

    def merge(self, layer: Layer, ends: Iterable[Flow]) -> Flow:
        """Return the combined flow of the ends of branches."""

    def operator(self, layer: Layer, instance: Instance, scope: Scope, flow: Flow) -> Flow:
        """Return the flow after an operator."""

    def call(
        self, layer: Layer, block: Block, instance: Instance, scope: Scope, flow: Flow
    ) -> tuple[Instance, Scope]:
        """Return a new instance of a block, and the scope with its arguments and defaults."""

    def body(self, instance: Instance, scope: Scope, flow: Flow, walk: Walk[Scope, Flow]) -> Flow:
        """Return the flow after an instance, by walking its layers or from a cached result."""

    def output(self, layer: Layer, scope: Scope, flow: Flow) -> None:
        """Record an output of the network."""


class Elaborator(Generic[Scope, Flow]):
    """Walks a document in a domain."""

    def __init__(
        self, blocks: Mapping[str, Block], limits: Limits, domain: Domain[Scope, Flow]
    ) -> None:
        self.blocks, self.limits, self.domain = blocks, limits, domain
        self.spend = domain.steps.spend
        self.depth = 0

    def chain(self, chain: Chain, instance: Instance, scope: Scope, flow: Flow) -> Flow:
        """Walk the layers of a chain and return the flow after the last. Raises SpecError."""
        self.depth += 1
        for layer in self.domain.layers(chain):
            try:
                if self.depth > self.limits.depth:
                    raise LimitError(
                        f"blocks and branches nested deeper than the limit of {self.limits.depth};"
                        " does a block contain itself?",
                        layer.at,
                    )
                flow = self._layer(layer, instance, scope, flow)
            except SpecError as error:
                if error.path:
                    raise
                raise type(error)(error.message, error.at, _place(layer, instance)) from None
        self.depth -= 1
        return flow

    def _layer(self, layer: Layer, instance: Instance, scope: Scope, flow: Flow) -> Flow:
        domain, before = self.domain, flow
        if layer.sources:
            flow = domain.sources(layer, instance, flow)
        start = flow
        if layer.repeat is None and layer.each is None:
            flow = self._turn(layer, instance, scope, flow)
        else:
            domain.enter(layer, instance, scope, flow)
            around = instance.turns
            for turn, inside in enumerate(domain.turns(layer, instance, scope)):
                instance.turns = (*around, turn)
                flow = self._turn(layer, instance, inside, flow)
            instance.turns = around
        if layer.output is None:
            return flow
        if flow != start:  # `when` may skip an output
            domain.output(layer, scope, flow)
        return before

    def _turn(self, layer: Layer, instance: Instance, scope: Scope, flow: Flow) -> Flow:
        domain = self.domain
        self.spend(layer.cost + len(flow), layer.at)
        domain.enter(layer, instance, scope, flow)
        if layer.when is None:
            return self._present(layer, instance, scope, flow)
        true, false = domain.condition(layer, instance, scope)
        if false is None:
            return flow if true is None else self._present(layer, instance, true, flow)
        otherwise = self.chain(layer.otherwise, instance, false, flow)
        if true is None:
            return otherwise
        return domain.either(self._present(layer, instance, true, flow), otherwise)

    def _present(self, layer: Layer, instance: Instance, scope: Scope, flow: Flow) -> Flow:
        """Walk a layer that `when` does not skip."""
        domain = self.domain
        if layer.branches is not None:
            starts = domain.branches(layer, instance, scope, flow)
            parts = zip(layer.branches, starts, strict=True)
            flow = domain.merge(
                layer, (self.chain(part, instance, scope, start) for part, start in parts)
            )
        if layer.word in OPS:
            flow = domain.operator(layer, instance, scope, flow)
        elif layer.word != GROUP:
            block = self.blocks[layer.word]
            if block.cost:
                self.spend(block.cost, layer.at)
            inside, inner = domain.call(layer, block, instance, scope, flow)
            flow = domain.body(inside, inner, flow, self.chain)
        if layer.name:
            instance.names[layer.name] = flow
        return self.chain(layer.then, instance, scope, flow) if layer.then else flow


def _place(layer: Layer, instance: Instance) -> str:
    """Return the place of an error: `layers[2] in stage1.unit0`."""
    inside = instance.prefix.rstrip(".")
    if len(inside) > LENGTH:
        inside = f"...{inside[3 - LENGTH :]}"
    return f"{layer.path} in {inside}" if inside else layer.path
