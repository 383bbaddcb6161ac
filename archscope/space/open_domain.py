"""Collect the decisions of a document: every hole of every instance, and when it counts.

This is a domain of `language.elaborate` without shapes, in which values may depend on decisions. A
condition or a number of iterations is computed for all values of the decisions that it reads, so
it is known exactly which other decisions they activate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import repeat

from archscope.errors import LimitError, SpecError
from archscope.language.document import Block, Chain, Document, Layer, layers_in
from archscope.language.elaborate import Elaborator, Instance, Walk
from archscope.language.limits import LIMITS, Limits, StepCounter
from archscope.language.value import HolePaths, Value
from archscope.space.decisions import Choices, Condition, Decision
from archscope.space.hole_decisions import HoleDecisions, Row, with_condition
from archscope.space.occurrences import Occurrences
from archscope.space.open_values import (
    SHAPES,
    OpenScope,
    OpenValue,
    constant,
    element,
    last,
    length,
    open_value,
    whole,
)

NoFlow = tuple[()]
"""Layers are walked without tracking what flows through them."""


def decisions_of(document: Document, limits: Limits) -> tuple[Decision, ...]:
    """Return the decisions of a document in the order of the text. Raises SpecError."""
    if not document.open:
        return ()
    domain = OpenDomain(document, limits)
    domain.run()
    return tuple(domain.decisions.by_path.values())


def occurrences_of(document: Document, choices: Choices) -> Occurrences:
    """Return the values of all slots, given all choices. Raises SpecError."""
    occurrences = Occurrences(choices)
    if document.open:
        OpenDomain(document, LIMITS, occurrences).run()
    return occurrences


class OpenDomain:
    """The domain of values that depend on decisions."""

    def __init__(
        self, document: Document, limits: Limits, occurrences: Occurrences | None = None
    ) -> None:
        """Take the recorder of occurrences, if any; its choices make all decisions."""
        self.document, self.limits = document, limits
        self.occurrences = occurrences
        self.visited = open_layers(document)
        self.steps = StepCounter(limits.steps)
        made = None if occurrences is None else occurrences.choices
        self.decisions = HoleDecisions(limits, self.steps, document.body.at, made)
        self.lets = OpenScope(None, {})

    def run(self) -> None:
        """Collect the decisions in `decisions`. Raises SpecError."""
        scope = self.enter_document()
        walk = Elaborator(self.document.blocks, self.limits, self)
        walk.chain(self.document.body.layers, Instance(self.document.body), scope, ())

    def enter_document(self) -> OpenScope:
        """Collect the holes of `let` and of the inputs, and return the scope of the layers."""
        document, lets = self.document, self.lets
        for name, value in document.let.items():
            lets.values[name] = self.value(value, lets, HolePaths())
        for value in document.inputs.values():
            self.value(value, lets, HolePaths())
        return OpenScope(lets, {"in": SHAPES, "x": SHAPES})

    def layers(self, chain: Chain) -> Iterable[Layer]:
        """Return the layers of a chain that contain holes."""
        return [layer for layer in chain if layer in self.visited]

    def enter(self, layer: Layer, instance: Instance, scope: OpenScope, flow: NoFlow) -> None:
        """Do nothing: `x` is unknown throughout."""

    def sources(self, layer: Layer, instance: Instance, flow: NoFlow) -> NoFlow:
        """Return nothing."""
        return flow

    def turns(self, layer: Layer, instance: Instance, scope: OpenScope) -> Iterator[OpenScope]:
        """Yield a scope for each possible iteration, under the condition that it occurs."""
        columns = {
            name: self.slot(layer, f"@each.{name}", value, instance, scope)
            for name, value in (layer.each or {}).items()
        }
        if layer.repeat is not None:
            count = self.slot(layer, "@repeat", layer.repeat, instance, scope)
        else:
            count = length(next(iter(columns.values())))
        table = self.decisions.table(count)
        if table is None:
            raise SpecError(
                "the number of iterations depends on shapes or on too many decisions, and there are"
                " holes inside: let it depend on a few named values, so that decisions are known",
                layer.at,
            )
        paths, rows = table
        counts = {row: whole(value) for row, value in rows.items()}
        most = max(counts.values(), default=0)
        if self.occurrences is not None:
            self.occurrences.loop(layer, instance, most)
        for turn in range(most):
            if turn >= self.limits.repeat:
                raise LimitError(f"more turns than the limit of {self.limits.repeat}", layer.at)
            self.steps.spend(len(counts), layer.at)
            allowed = frozenset(row for row, number in counts.items() if number > turn)
            conditions = with_condition(scope.conditions, paths, allowed, len(counts))
            names = {name: element(column, turn) for name, column in columns.items()}
            names |= {"i": constant(turn), "first": constant(turn == 0), "last": last(count, turn)}
            yield OpenScope(scope, names, conditions)

    def condition(
        self, layer: Layer, instance: Instance, scope: OpenScope
    ) -> tuple[OpenScope | None, OpenScope | None]:
        """Return the scopes in which `when` is true and false, as far as decisions allow."""
        assert layer.when is not None
        table = self.decisions.table(self.slot(layer, "@when", layer.when, instance, scope))
        if table is None:
            unknown = OpenScope(scope, {}, (*scope.conditions, Condition((), None)))
            return unknown, unknown
        paths, rows = table
        true = frozenset(row for row, value in rows.items() if value)

        def under(allowed: frozenset[Row]) -> OpenScope | None:
            conditions = with_condition(scope.conditions, paths, allowed, len(rows))
            return OpenScope(scope, {}, conditions) if allowed else None

        if self.occurrences is not None:
            self.occurrences.condition(layer, bool(true))
        return under(true), under(frozenset(rows) - true)

    def either(self, then: NoFlow, otherwise: NoFlow) -> NoFlow:
        """Return nothing."""
        return then

    def branches(
        self, layer: Layer, instance: Instance, scope: OpenScope, flow: NoFlow
    ) -> Iterable[NoFlow]:
        """Collect the holes of `split`."""
        if layer.split is not None:
            self.slot(layer, "@split", layer.split, instance, scope)
        return repeat(flow, len(layer.branches or ()))

    def merge(self, layer: Layer, ends: Iterable[NoFlow]) -> NoFlow:
        """Walk the branches."""
        for _ in ends:
            pass
        return ()

    def operator(self, layer: Layer, instance: Instance, scope: OpenScope, flow: NoFlow) -> NoFlow:
        """Collect the holes of the arguments."""
        for name, value in layer.args.items():
            self.slot(layer, name, value, instance, scope)
        return flow

    def call(
        self, layer: Layer, block: Block, instance: Instance, scope: OpenScope, flow: NoFlow
    ) -> tuple[Instance, OpenScope]:
        """Return an instance of a block, and the scope of its values."""
        path = instance.hole_paths(layer).own
        if self.occurrences is not None:
            self.occurrences.call(block, layer, instance, path)
        values = {"in": SHAPES, "x": SHAPES}
        for name, value in layer.args.items():
            values[name] = self.slot(layer, name, value, instance, scope)
        inner = OpenScope(self.lets, values, scope.conditions)
        paths = HolePaths(path, f"{block.name}.")
        for name, default in block.defaults.items():
            if name not in layer.args and default is not None:
                values[name] = self.value(default, inner, paths)
                if self.occurrences is not None:
                    self.occurrences.value(layer, name, default, instance, paths)
        return Instance(block, path, prefix=path), inner

    def body(
        self,
        instance: Instance,
        scope: OpenScope,
        flow: NoFlow,
        walk: Walk[OpenScope, NoFlow],
    ) -> NoFlow:
        """Walk a block if it contains holes."""
        return walk(instance.block.layers, instance, scope, flow)

    def output(self, layer: Layer, scope: OpenScope, flow: NoFlow) -> None:
        """Do nothing: an output has no holes."""

    def slot(
        self, layer: Layer, slot: str, value: Value, instance: Instance, scope: OpenScope
    ) -> OpenValue:
        """Return the open value of an argument or modifier, and collect its holes."""
        paths = instance.hole_paths(layer)
        if self.occurrences is not None:
            self.occurrences.value(layer, slot, value, instance, paths)
        return self.value(value, scope, paths)

    def value(self, value: Value, scope: OpenScope, paths: HolePaths) -> OpenValue:
        """Return the open value of a value, and collect its holes."""
        self.decisions.add(value, paths, scope.conditions)
        return open_value(value, scope, paths)


def open_layers(document: Document) -> frozenset[Layer]:
    """Return the layers that contain holes or use blocks that do, directly or nested."""
    inside = {name: list(layers_in(block.layers)) for name, block in document.blocks.items()}
    open_ = {
        name
        for name, layers in inside.items()
        if document.blocks[name].open or any(layer.open for layer in layers)
    }
    words = {name: {layer.word for layer in layers} for name, layers in inside.items()}
    while more := {name for name in words.keys() - open_ if words[name] & open_}:
        open_ |= more
    return frozenset(
        layer
        for layers in (layers_in(document.body.layers), *inside.values())
        for layer in layers
        if any(part.open or part.word in open_ for part in layers_in((layer,)))
    )
